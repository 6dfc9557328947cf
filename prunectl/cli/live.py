"""A run while it works: a Rich picture on a terminal, one line an event elsewhere.

Both show a :class:`prunectl.view.View` and decide nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from core import events as ev
from core.journal import Record
from prunectl import words
from prunectl.narrate import amount, sentence
from prunectl.view import StageView, TaskView, View

_FRAMES_PER_SECOND = 4
_PROGRESS_LINE_SECONDS = 60.0
_BAR = 20
_SHOWN = {
    "train/loss": "loss {:.4f}",
    "train/accuracy": "train {:.1%}",
    "test/accuracy": "test {:.1%}",
}


class Screen(Protocol):
    """What follows a run and shows it."""

    def __enter__(self) -> Screen: ...

    def __exit__(self, *_: object) -> None: ...

    def update(self, view: View, records: Sequence[Record], behind: str | None = None) -> None:
        """Show the view after these new records; ``behind``: the run it waits for, if any."""

    def note(self, text: str) -> None:
        """Say a line that is not an event."""


class Bars:
    """The live picture, redrawn at most four times a second and only in place."""

    def __init__(self, console: Console, run: str) -> None:
        self._run = run
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._drawn = 0.0

    def __enter__(self) -> Bars:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def update(self, view: View, records: Sequence[Record], behind: str | None = None) -> None:
        for record in records:
            event = record.event
            if isinstance(event, ev.Message) and event.level != "error":
                style = "yellow" if event.level == "warning" else ""
                self._live.console.print(Text(f"{event.level}: {event.text}", style=style))
        over = view.status not in ("queued", "running")
        now = time.monotonic()
        if over or now - self._drawn >= 1 / _FRAMES_PER_SECOND:
            self._drawn = now
            self._live.update(picture(view, self._run, time.time(), behind), refresh=True)

    def note(self, text: str) -> None:
        self._live.console.print(Text(text, style="yellow"))


class Lines:
    """One line an event on a plain stream; progress at most once a minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_progress = 0.0

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, view: View, records: Sequence[Record], behind: str | None = None) -> None:
        for record in records:
            if isinstance(record.event, ev.Progress):
                if record.ts - self._last_progress < _PROGRESS_LINE_SECONDS:
                    continue
                self._last_progress = record.ts
            elif isinstance(record.event, ev.Message) and record.event.level == "error":
                continue  # said once, at the end, with what to do
            if text := timed(record):
                self._console.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False)


def timed(record: Record) -> str:
    """A record as one line that begins with the time of day; empty where it says nothing."""
    text = sentence(record.event)
    return f"{datetime.fromtimestamp(record.ts):%H:%M:%S} {text}" if text else ""


def picture(view: View, run: str, now: float, behind: str | None = None) -> RenderableType:
    """The whole live picture; fits 80 columns and 16 lines."""
    if not view.tasks:
        waiting = f"queued behind {behind}" if behind else "preparing"
        if said := view.preparing:
            waiting = f"preparing {said.task}: {amount(said.done, said.total, said.unit)}"
            if pace := _pace(view, now):
                waiting += f", {pace}"
        return Text.assemble((run, "bold"), "  ", (waiting, "dim"))
    grid = Table.grid(padding=(0, 2))
    for _ in range(4):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    for stage in view.stages():
        grid.add_row(*_stage_row(stage))
    task = view.running
    if task and task.total:
        grid.add_row(*_task_row(view, task))
    elif view.status == "running":
        grid.add_row("")  # the picture keeps its height between tasks
    return Group(_head(view, run), grid, _foot(view, now, behind))


def _pace(view: View, now: float) -> str:
    """How fast the data is prepared, and how long still."""
    if view.preparing is None or view.preparing_from is None:
        return ""
    (since, before), said = view.preparing_from, view.preparing
    return words.pace(said.done, said.total or 0, now - since, said.done - before)


def _head(view: View, run: str) -> Text:
    about = [view.device or "?"]
    if view.device == "cpu":
        about.append(words.plural(view.threads, "thread"))
    if view.precision not in ("", "fp32"):
        about.append(view.precision)
    return Text.assemble((run, "bold"), "  ", (", ".join(about), "dim"))


def _stage_row(stage: StageView) -> tuple[RenderableType, ...]:
    mark = Text(" ")
    if stage.failed:
        mark = Text("x", style="red")
    elif stage.finished == stage.total:
        mark = Text("+", style="green")
    elif stage.running:
        mark = Text(">", style="cyan")
    digits = len(str(stage.total))
    counted = Text(f"{stage.finished:>{digits}}/{stage.total}", style="dim", justify="right")
    note = f"{stage.reused} reused" if stage.reused else ""
    if task := stage.running:
        note = task.trial or f"seed {task.seed}"
    bar = ProgressBar(total=1.0, completed=stage.share, width=_BAR)
    return Text.assemble(mark, " ", stage.stage), counted, bar, Text(note, style="dim")


def _task_row(view: View, task: TaskView) -> tuple[RenderableType, ...]:
    """Epochs, or steps where the recipe counts those, and the latest loss and accuracy."""
    epoch = view.epoch_of(task)
    done, total = epoch or (round(task.done), round(task.total))
    unit = "epoch" if epoch else task.unit
    said = [
        shown.format(value)
        for series, shown in _SHOWN.items()
        if (value := view.latest(task.id, series)) is not None
    ]
    counted = Text(f"{done}/{total}", justify="right")
    bar = ProgressBar(total=1.0, completed=task.share, width=_BAR, complete_style="cyan")
    return f"  {unit}", counted, bar, "  ".join(said)


def _foot(view: View, now: float, behind: str | None) -> Text:
    if view.status not in ("queued", "running"):
        reason = f" ({view.reason})" if view.reason not in (None, view.status) else ""
        spent = words.elapsed((view.last or now) - (view.work_began or view.last or now))
        style = "green" if view.status == "finished" else "yellow"
        return Text(f"{view.status}{reason} after {spent}", style=style)
    if behind:
        return Text(f"queued behind {behind}", style="yellow")
    said = [f"{view.share:.0%}"]
    if view.work_began is not None:
        said.append(f"{words.elapsed(now - view.work_began)} so far")
    left = view.seconds_left(now)
    if left is not None:
        said.append(f"{words.about(left)} left")
    return Text(", ".join(said), style="dim")
