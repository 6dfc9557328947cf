"""The list of runs without a terminal: reading, filter, order; and the registry of actions."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from recorded import DIVERGED, FINISHED, RESUMED, copy_runs

from core import events as ev
from core.journal import Journal, Tail
from core.runs import Run, State
from prunectl.tui import rows
from prunectl.tui.actions import ACTIONS, APP, RUN, RUNS, TITLES, actions_for
from prunectl.tui.app import Console
from prunectl.tui.drawing import plain
from prunectl.tui.reading import Pace, Row, RowsNews, RunsReader, best_point, flat_yaml
from prunectl.tui.screens.help import help_lines
from prunectl.tui.screens.run import RunScreen
from prunectl.tui.screens.runs import Runs


def listed(folder: Path) -> dict[str, Row]:
    """What one turn of the reader posts."""
    found: dict[str, Row] = {}
    pace = Pace(0.0)

    def post(news: Any) -> None:
        assert isinstance(news, RowsNews)
        found.update({row.run.id: row for row in news.rows})
        if news.complete:
            pace.stop()

    RunsReader(folder, pace, post).follow()
    return found


def test_rows_tell_status_results_and_spec(tmp_path: Path) -> None:
    found = listed(copy_runs(tmp_path))
    assert set(found) == {FINISHED, RESUMED, DIVERGED}
    done, failed = found[FINISHED], found[DIVERGED]
    assert (done.status, done.share, done.data, done.method) == ("finished", 1.0, "digits", "knn")
    assert done.best == "94.8% at 0.30"
    assert done.saving == pytest.approx(-0.33, abs=0.01)
    assert (failed.status, failed.reason, failed.stage) == ("failed", "diverged", "score")
    assert "prune.policy=class_balanced" in done.params


def test_a_folder_that_is_no_run_or_damaged_hurts_nobody(tmp_path: Path) -> None:
    copy_runs(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / FINISHED / "summary.json").write_text("{")
    (tmp_path / RESUMED / "spec.yaml").write_bytes(b"\xff\xfe")
    found = listed(tmp_path)
    assert found[FINISHED].status == "finished"
    assert found[RESUMED].reason.startswith("cannot be read")


def test_the_reader_stops_when_told() -> None:
    pace = Pace(60.0)
    reader = RunsReader(Path("/nonexistent"), pace, lambda _: None)
    thread = threading.Thread(target=reader.follow)
    thread.start()
    pace.rest()
    pace.stop()
    thread.join(5)
    assert not thread.is_alive()


def row(name: str, status: str = "finished", created: float = 0.0, **more: Any) -> Row:
    return Row(Run(Path("/runs") / name), created, status, **more)


def test_filter_words_must_all_fit() -> None:
    one = row("aaaa-quick", params="data.name=digits prune.rates=0.5")
    assert rows.fits(one, "")
    assert rows.fits(one, "QUICK finished")
    assert rows.fits(one, "data.name=dig")
    assert not rows.fits(one, "quick failed")
    assert not rows.fits(one, "-quick")
    assert rows.fits(one, "quick -cifar")


def test_live_runs_are_on_top_in_any_order() -> None:
    many = [row("a", created=1.0), row("b", "running", 0.0), row("c", created=3.0),
            row("d", "stale", 9.0)]  # fmt: skip
    assert [r.run.id for r in rows.ordered(many, "started", False)] == ["b", "d", "c", "a"]
    assert [r.run.id for r in rows.ordered(many, "started", True)] == ["b", "a", "c", "d"]
    assert [r.run.id for r in rows.ordered(many, "run", False)] == ["b", "a", "c", "d"]


def test_best_point_is_the_deepest_one_that_is_not_worse_than_random() -> None:
    def point(rate: float, mean: float, high: float | None) -> dict[str, Any]:
        versus = None if high is None else {"ci_high": high}
        return {"method": "knn", "rate": rate, "mean": mean, "metric": "test_accuracy",
                "vs_random": versus}  # fmt: skip

    three = [point(0.3, 0.95, 0.01), point(0.5, 0.94, 0.0), point(0.8, 0.7, -0.1)]
    assert best_point({"tradeoff": three})[0] == "94.0% at 0.50"
    assert best_point({"tradeoff": [three[2]]})[0] == "70.0% at 0.80"
    assert best_point({}) == ("", None)


def test_flat_yaml_reads_a_spec_as_it_is_written() -> None:
    text = (
        "name: x\ntrain:\n  epochs: 8ep\n  optimizer:\n    lr: 0.1\nseeds:\n- 0\nscore:\n  n: 1\n"
    )
    assert dict(flat_yaml(text)) == {
        "name": "x", "train.epochs": "8ep", "train.optimizer.lr": "0.1", "score.n": "1",
    }  # fmt: skip


def test_a_tail_passes_over_what_nobody_asked_for(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.append(ev.Points("t", "train/loss", [1], [1.0], [0.5]))
    journal.append(ev.Message("info", 'says "type":"points"'))
    journal.close()
    assert len(Tail(journal.path).poll()) == 2
    assert [r.event.type for r in Tail(journal.path, without=("points",)).poll()] == ["message"]


def test_progress_of_a_live_run_comes_from_its_journal(tmp_path: Path) -> None:
    import os

    from core.locks import hostname, process_start

    run = Run(copy_runs(tmp_path) / RESUMED)
    lines = run.journal.read_text().splitlines(keepends=True)
    half = next(i for i, line in enumerate(lines) if '"task_started"' in line and "embed" in line)
    run.journal.write_text("".join(lines[: half + 1]))
    pid = os.getpid()
    run.write_state(State("running", None, pid, process_start(pid), hostname(), time.time()))
    live = listed(tmp_path)[RESUMED]
    assert live.live
    assert live.stage == "embed"
    assert live.share is not None
    assert 0.0 < live.share < 1.0


# -- the registry of actions --


@pytest.mark.parametrize(("where", "owner"), [(RUNS, Runs), (RUN, RunScreen), (APP, Console)])
def test_every_action_is_there(where: str, owner: type) -> None:
    for action in ACTIONS:
        if where in action.where:
            assert hasattr(owner, f"action_{action.name.partition('(')[0]}"), action.name


@pytest.mark.parametrize("where", TITLES)
def test_no_key_means_two_things_on_one_screen(where: str) -> None:
    keys = [key for action in actions_for(where) for key in action.key.split(",")]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("where", [RUNS, RUN])
def test_help_has_every_action_of_the_screen(where: str) -> None:
    text = " ".join(plain(help_lines(where, 200)).split())
    for action in actions_for(where):
        assert action.help in text
    assert "(read-only: not now)" in plain(help_lines(where, 200, read_only=True))
