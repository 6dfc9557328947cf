"""A sweep whose processes are killed ends as an undisturbed one, computes nothing twice and leaves
no process behind."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from faults import sweeping
from faults.harness import make_run, outcome, same
from faults.harness import work as work_on_run

from core.sweeps import Sweep


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    sweep = sweeping.make_sweep(tmp_path_factory.mktemp("undisturbed"))
    assert sweeping.work(sweep) == 0, sweep.log.read_text()
    return sweep


def test_every_cell_is_what_a_run_of_its_spec_would_be(undisturbed: Sweep, tmp_path: Path) -> None:
    cell = undisturbed.spec().cells()[3]
    alone = make_run(tmp_path, **cell.spec.to_dict())
    assert work_on_run(alone) == 0
    there = undisturbed.cell(cell.id)
    assert same(outcome(there), outcome(alone))
    assert there.state().status == "finished"
    summary, other = there.summary(), alone.summary()
    assert summary and other
    assert summary["run"] == f"{undisturbed.id}/{cell.id}"
    for part in ("trials", "tradeoff", "extrapolation", "subset", "data", "seeds"):
        assert _timeless(summary[part]) == _timeless(other[part])


def test_shared_work_is_done_once_and_charged_to_every_cell(undisturbed: Sweep) -> None:
    assert max(sweeping.computed(undisturbed).values()) == 1
    scoring = set()
    for run in undisturbed.ended_cells():
        summary = run.summary()
        assert summary
        rows = {row["task"]: row for row in summary["cost"]["stages"]}
        scoring.add((rows["score-s0"]["seconds"], rows["score-s0"]["sample_passes"]))
        by_rate = [r for r in summary["cost"]["by_rate"] if r["method"] == "knn"]
        needed = ("subset-s0", "score-s0", "embed-s0", "extrapolate-s0")
        selected = [n for n in rows if n.startswith(("prune-s0-knn", "retrain-s0-knn"))]
        total = sum(rows[name]["seconds"] for name in [*needed, *selected])
        assert by_rate[0]["loop_seconds"] == pytest.approx(total)
    assert len(scoring) == 1  # the same first cost in all of them


def test_killed_again_and_again(undisturbed: Sweep, tmp_path: Path) -> None:
    """Supervisor and workers by SIGKILL, SIGTERM, SIGINT at drawn lines of the journal."""
    sweep = sweeping.make_sweep(tmp_path)
    _disturb(sweep, random.Random(0), ["supervisor KILL", "worker KILL", "supervisor TERM"])
    assert same(sweeping.outcomes(sweep), sweeping.outcomes(undisturbed))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_killed_many_times(undisturbed: Sweep, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    faults = [f"{who} {how}" for who in ("supervisor", "worker") for how in ("KILL", "TERM", "INT")]
    sweep = sweeping.make_sweep(tmp_path)
    _disturb(sweep, draw, [draw.choice(faults) for _ in range(8)])
    assert same(sweeping.outcomes(sweep), sweeping.outcomes(undisturbed))


def test_a_finished_sweep_is_left_as_it_is(undisturbed: Sweep) -> None:
    before = [(f, f.stat().st_mtime_ns) for f in sorted(undisturbed.path.rglob("cells/**/*"))]
    count = sweeping.lines(undisturbed)
    assert sweeping.work(undisturbed) == 0
    after = [(f, f.stat().st_mtime_ns) for f in sorted(undisturbed.path.rglob("cells/**/*"))]
    assert after == before
    assert sweeping.lines(undisturbed) <= count + 1  # that it is finished, again


def _disturb(sweep: Sweep, draw: random.Random, faults: list[str]) -> None:
    """Send each fault to a session of its own, then let the sweep come to its end."""
    for fault in faults:
        who, how = fault.split()
        number = signal.Signals[f"SIG{how}"]
        process = sweeping.start(sweep)
        sweeping.wait_for_lines(sweep, process, sweeping.lines(sweep) + draw.randrange(3, 25))
        if who == "supervisor":
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
            code = sweeping.finish(process, sweep)
            assert code in (0, -signal.SIGKILL, 128 + number), sweep.log.read_text()
            shown = sweep.state().shown
            assert shown in ("stale", "stopped", "finished")
        else:
            for pid in sweeping.workers_of(process.pid)[:1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            assert sweeping.finish(process, sweep) == 0, sweep.log.read_text()
    assert sweeping.work(sweep) == 0, sweep.log.read_text()
    assert sweep.state().status == "finished"
    assert max(sweeping.computed(sweep).values()) == 1
    temporary = sweep.runs / "store" / "temporary"
    assert not temporary.exists() or not any(temporary.iterdir())


def _timeless(part: object) -> object:
    """Without seconds, which no two trainings share."""
    if isinstance(part, dict):
        return {k: _timeless(v) for k, v in part.items() if k != "seconds"}
    if isinstance(part, list):
        return [_timeless(value) for value in part]
    return part


def test_the_comparison_can_fail(undisturbed: Sweep) -> None:
    one, other, *_ = sweeping.outcomes(undisturbed).values()
    assert not same(one, other)
