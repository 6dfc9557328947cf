"""The live picture and the lines, from a journal written by hand."""

from __future__ import annotations

import io

from rich.console import Console
from run_samples import PLAN

from core import events as ev
from core.journal import Record
from prunectl.cli.live import Bars, Lines, picture
from prunectl.view import View, apply

RETRAIN = "retrain-s0-knn-top_k-r0.5000"
EVENTS: list[ev.Event] = [
    ev.RunStarted("abcd-small", {"retrain": {"epochs": "12ep"}}, "host", "cpu", 2, {}),
    ev.Plan(PLAN),
    ev.TaskFinished("subset-s0", "k", True),
    ev.TaskStarted("score-s0", "score", 0),
    ev.TaskFinished("score-s0", "k", False, {"seconds": 2.0}),
    ev.TaskStarted(RETRAIN, "retrain", 0, "s0-knn-top_k-r0.5000"),
    ev.Points(RETRAIN, "train/loss", [3], [6.0], [0.4121]),
    ev.Points(RETRAIN, "test/accuracy", [3], [6.0], [None]),
    ev.Progress(RETRAIN, 6, 12, "steps"),
]


def _records(*events: ev.Event) -> list[Record]:
    return [Record(i, 1000.0 + i, event) for i, event in enumerate(events)]


def _view(*events: ev.Event) -> View:
    view = View()
    for record in _records(*events):
        apply(view, record)
    return view


def _text(view: View, behind: str | None = None, now: float = 1010.0, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(picture(view, "abcd-small", now, behind))
    return console.export_text()


def test_the_picture_says_stage_epoch_loss_and_time_left() -> None:
    shown = _text(_view(*EVENTS))
    assert "epoch 7/12" in " ".join(shown.split())
    assert "loss 0.4121" in shown
    assert "test" not in shown  # its only value is undefined
    assert "1 reused" in shown
    assert "s0-knn-top_k-r0.5000" in shown
    assert "62%, 8 s so far" in shown
    assert "left" in shown


def test_the_picture_fits_a_small_terminal() -> None:
    shown = _text(_view(*EVENTS), width=200).splitlines()
    assert max(len(line.rstrip()) for line in shown) <= 80
    assert len(shown) <= 16


def test_before_the_plan() -> None:
    assert "preparing" in _text(View())
    assert "queued behind wxyz-other" in _text(View(), behind="wxyz-other")
    data = _text(_view(ev.Progress("data", 10, 50, "samples")))
    assert "preparing data: samples 10/50" in data
    first = ev.Progress("data", 10, 2010, "samples")
    view = _view(first, ev.Progress("data", 410, 2010, "samples"))
    assert "100 a second, about 20 s left" in " ".join(_text(view, now=1004.0).split())


def test_the_end() -> None:
    stopped = _text(_view(*EVENTS, ev.RunFinished("stopped", "stopped")))
    assert "stopped after 7 s" in stopped
    failed = _text(
        _view(*EVENTS, ev.TaskFailed(RETRAIN, "oom", "memory"), ev.RunFinished("failed", "oom"))
    )
    assert "failed (oom)" in failed
    assert "x retrain" in failed


def test_lines_are_one_an_event_without_bars_or_colours() -> None:
    out = io.StringIO()
    view = View()
    with Lines(Console(file=out, width=60)) as lines:
        silent = (ev.Message("error", "said at the end"), ev.Checkpoint("x", 1))
        for record in _records(*EVENTS, *silent):
            apply(view, record)
            lines.update(view, [record])
        lines.note("a note")
    said = out.getvalue().splitlines()
    assert [line[9:] for line in said[:-1]] == [
        "run abcd-small on cpu, 2 threads",
        "plan: 3 tasks, 4,000 sample passes",
        "subset-s0 done (reused)",
        "score-s0 started",
        "score-s0 done (2.00 s)",
        f"{RETRAIN} started",
        f"{RETRAIN} steps 6/12",
    ]
    assert said[-1] == "a note"


def test_progress_is_told_at_most_once_a_minute() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out))
    for second in range(0, 150, 10):
        record = Record(second, 1000.0 + second, ev.Progress("a", second, 150, "steps"))
        lines.update(View(), [record])
    assert len(out.getvalue().splitlines()) == 3  # at 0, 60 and 120 seconds


def test_bars_redraw_in_place_and_print_warnings_above() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, legacy_windows=False)
    view = View()
    with Bars(console, "abcd-small") as bars:
        for record in _records(*EVENTS, ev.Message("warning", "a class is missing")):
            apply(view, record)
            bars.update(view, [record])
    assert out.getvalue().count("warning: a class is missing") == 1
    assert "\x1b[?25h" in out.getvalue()
