"""Disk use and what nobody needs, in a runs folder that is written by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from core import events as ev
from core.files import write_json
from core.housekeeping import collect, find_garbage, size_of, usage
from core.journal import Journal
from core.locks import hostname, process_start, share
from core.runs import Run, State, remove_run
from core.store import Store, in_use

FINISHED = State("finished", host=hostname())


def _entry(runs: Path, key: str, size: int, **parts: str) -> None:
    """A sealed entry of so many bytes (its seal comes on top)."""
    store = Store(runs / "store")
    with store.writing(key) as out:
        (out.path / "data.bin").write_bytes(b"x" * size)
        out.parts.update(parts)


def _run(runs: Path, name: str, keys: Sequence[str], state: State = FINISHED) -> Run:
    run = Run(runs / name)
    run.path.mkdir(parents=True)
    (run.path / "spec.yaml").write_text("name: x\n")
    write_json(run.path / "refs.json", {"schema": 1, "keys": list(keys)})
    run.write_state(state)
    return run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """a and b share an entry, each has one of its own, one belongs to nobody."""
    for key, size in (("net-a", 1000), ("net-b", 2000), ("net-both", 4000), ("net-none", 8000)):
        _entry(tmp_path, key, size)
    _run(tmp_path, "aaaa-x", ["net-a", "net-both"])
    _run(tmp_path, "bbbb-x", ["net-b", "net-both"])
    return tmp_path


def _names(runs: Path) -> list[str]:
    return sorted(item.path.name for item in find_garbage(runs).items)


def test_what_a_run_takes_alone_and_with_others(runs: Path) -> None:
    found = usage(runs)
    a, b = sorted(found.runs, key=lambda row: row.run)
    seal = size_of(runs / "store" / "net-a") - 1000  # every seal is about as long
    assert abs(a.store - (5000 + 2 * seal)) < 20 and abs(a.store_own - (1000 + seal)) < 20
    assert abs(b.store - (6000 + 2 * seal)) < 20 and abs(b.store_own - (2000 + seal)) < 20
    assert abs(found.unreferenced - (8000 + seal)) < 20
    parts = found.store + found.trash + found.other + sum(r.folder for r in found.runs)
    assert found.total == parts == size_of(runs)
    assert asdict(found)["checkpoints"] == 0


def test_what_no_run_refers_to_goes_and_the_rest_stays(runs: Path) -> None:
    assert _names(runs) == ["net-none"]
    size = size_of(runs / "store" / "net-none")
    assert size > 8000 and collect(runs).bytes("store") == size
    store = Store(runs / "store")
    assert [store.get(k) is not None for k in ("net-a", "net-b", "net-both", "net-none")] == [
        True, True, True, False,
    ]  # fmt: skip
    assert find_garbage(runs).busy  # by the store this test holds


def test_a_removed_runs_own_results_go_with_the_trash(runs: Path) -> None:
    remove_run(runs, Run(runs / "aaaa-x"))
    assert _names(runs) == ["aaaa-x", "net-a", "net-none"]
    collect(runs)
    assert sorted(p.name for p in (runs / "store").glob("net-*")) == ["net-b", "net-both"]
    assert list((runs / ".trash").iterdir()) == []
    assert find_garbage(runs).items == [] and not list((runs / "store").glob(".gone*"))


def test_an_unfinished_runs_journal_counts_too(runs: Path) -> None:
    for key in ("score-1", "score-2"):
        _entry(runs, key, 10, net="net-none" if key == "score-1" else "net-gone")
    run = _run(runs, "cccc-x", [], State("stopped", "stopped", host=hostname()))
    Journal(run.journal).append(ev.TaskFinished("score-s0", "net-none", False, {}))
    # refs.json does not name them yet; the journal names the net, and its score belongs to it
    assert _names(runs) == ["score-2"]


def test_cells_of_a_sweep_refer_to_what_they_need(runs: Path) -> None:
    _run(runs, "dddd-sweep", [])
    _run(runs / "dddd-sweep" / "cells", "0001", ["net-none"])
    assert _names(runs) == []
    assert next(r for r in usage(runs).runs if r.run == "dddd-sweep").store_own > 8000


def test_checkpoints_stay_while_a_run_may_go_on_from_them(runs: Path) -> None:
    partial = runs / "store" / "partial" / "retrain-x"
    partial.mkdir(parents=True)
    (partial / "step-1.pt").write_bytes(b"x" * 100)
    (runs / "store" / "temporary" / "net-q.1.ab").mkdir(parents=True)
    assert _names(runs) == ["net-none", "net-q.1.ab", "retrain-x"]
    _run(runs, "eeee-x", [], State("failed", "oom", host=hostname()))
    assert _names(runs) == ["net-none", "net-q.1.ab"]
    old = time.time() - 31 * 86400
    for path in (partial / "step-1.pt", partial):
        os.utime(path, (old, old))
    assert _names(runs) == ["net-none", "net-q.1.ab", "retrain-x"]


def test_the_store_is_left_alone_while_it_is_used(runs: Path) -> None:
    remove_run(runs, Run(runs / "aaaa-x"))
    descriptor = share(in_use(runs / "store"))
    try:
        assert find_garbage(runs).busy and _names(runs) == ["aaaa-x"]
        assert [item.kind for item in collect(runs).items] == ["trash"]
        assert (runs / "store" / "net-none").exists()
    finally:
        os.close(descriptor)
    assert not find_garbage(runs).busy


def test_a_run_that_lives_keeps_the_store(runs: Path) -> None:
    pid = os.getpid()
    _run(runs, "ffff-x", [], State("running", None, pid, process_start(pid), hostname()))
    found = find_garbage(runs)
    assert found.busy and found.items == []


def test_an_empty_folder(tmp_path: Path) -> None:
    assert collect(tmp_path).items == [] and usage(tmp_path).total == 0
    assert list(tmp_path.iterdir()) == []
