"""How a machine is cut into slots: never more threads than cores."""

from __future__ import annotations

import pytest

from core.errors import UserError
from prunectl.sweep.options import Options
from prunectl.sweep.slots import Wish, make_slots


@pytest.mark.parametrize("cores", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("threads", [None, 1, 2, 100])
@pytest.mark.parametrize("jobs", [None, 1, 2])
def test_cpu_slots_divide_the_threads(cores: int, threads: int | None, jobs: int | None) -> None:
    if jobs and jobs > cores:
        return
    slots = make_slots(["cpu"], Wish(jobs, None, threads), cores)
    assert len(slots) == (jobs or len(slots)) >= 1
    assert sum(slot.threads for slot in slots) <= cores
    assert [slot.index for slot in slots] == list(range(len(slots)))


def test_two_cores_are_two_slots_of_one_thread() -> None:
    assert [(s.name, s.threads) for s in make_slots(["cpu"], Wish(), 2)] == [
        ("cpu/0", 1), ("cpu/1", 1),
    ]  # fmt: skip


def test_more_jobs_than_cores_are_refused() -> None:
    with pytest.raises(UserError, match="3 jobs on 2 CPU cores"):
        make_slots(["cpu"], Wish(jobs=3), 2)


def test_gpus_take_turns_and_share_the_threads() -> None:
    slots = make_slots(["cuda:0", "cuda:1"], Wish(per_device=2), 16)
    assert [s.name for s in slots] == ["cuda:0/0", "cuda:1/0", "cuda:0/1", "cuda:1/1"]
    assert {s.threads for s in slots} == {4}
    assert [s.name for s in make_slots(["cuda:0", "cuda:1"], Wish(jobs=1), 16)] == ["cuda:0/0"]


def test_options_are_kept_and_changed() -> None:
    kept = Options(jobs=2, cell_timeout=60.0)
    again = Options.of({**kept.to_dict(), "unknown": 1}).changed(Options(retry_failed=True))
    assert (again.jobs, again.cell_timeout, again.retry_failed) == (2, 60.0, True)
    assert "retry_failed" not in again.to_dict()
    assert Options(devices="0, 2").device_names() == ["cuda:0", "cuda:2"]
    assert Options(devices="cpu").device_names() == ["cpu"]
