"""``from prunectl import run, open_run``, with a fake worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from run_samples import SPEC

import prunectl
from core.errors import RunFailure, Stopped, UserError
from core.events import Event, TrialFinished
from core.runs import list_runs

Use = Callable[[str], list[tuple[str, ...]]]


def test_run_waits_and_gives_the_results(fake: Use, runs: Path) -> None:
    fake("ok")
    heard: list[Event] = []
    result = prunectl.run(
        SPEC, set={"train.epochs": "14ep", "prune.rates": [0.4]}, runs_dir=runs,
        on_event=heard.append,
    )  # fmt: skip
    assert result.summary["cost"]["break_even_rate"] == 0.337
    assert str(result.spec.train.epochs) == "14ep"
    assert result.spec.prune.rates == (0.4,)
    assert any(isinstance(event, TrialFinished) for event in heard)
    assert result.view().share == 1.0
    again = prunectl.open_run(result.id[:4], runs_dir=runs)
    assert again.state.shown == "finished"
    assert [type(e) for e in again.events()] == [type(e) for e in heard]
    assert "finished" in repr(again)


def test_a_failed_run_raises_what_made_it_fail(fake: Use, runs: Path) -> None:
    fake("diverged")
    with pytest.raises(RunFailure, match="the loss is NaN"):
        prunectl.run(SPEC, runs_dir=runs)
    assert len(list_runs(runs)) == 1


def test_a_refused_run_leaves_nothing(fake: Use, runs: Path) -> None:
    fake("bad_input")
    with pytest.raises(UserError, match="the data are bad"):
        prunectl.run(SPEC, runs_dir=runs)
    assert list_runs(runs) == []


def test_without_waiting_it_can_be_stopped(fake: Use, runs: Path) -> None:
    fake("endless")
    started = prunectl.run(SPEC, runs_dir=runs, wait=False)
    with pytest.raises(UserError, match="no results yet"):
        _ = started.summary
    while started.state.status != "running":
        pass
    started.stop()
    with pytest.raises(Stopped, match="was stopped"):
        started.wait()


def test_artifacts_are_read_by_name(fake: Use, runs: Path) -> None:
    fake("ok")
    result = prunectl.run(SPEC, runs_dir=runs)
    (result.path / "kept").mkdir()
    np.save(result.path / "kept" / "a.npy", np.array([1, 4], dtype=np.int64))
    assert result.kept("a").tolist() == [1, 4]
    with pytest.raises(UserError, match="has no kept/b.npy"):
        result.kept("b")


def test_names_come_late_and_wrong_ones_are_attribute_errors() -> None:
    assert {"run", "open_run"} <= set(dir(prunectl))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        prunectl.nothing  # noqa: B018
