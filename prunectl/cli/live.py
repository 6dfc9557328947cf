"""A run while it works: a Rich picture on a terminal, one line an event elsewhere."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from core import events as ev
from core.journal import Record
from prunectl import words
from prunectl.cli.live_screen import LivePicture, PlainLines, spent, times
from prunectl.narrate import amount
from prunectl.view import StageView, TaskView, View

_PROGRESS_LINE_SECONDS = 60.0
_BAR = 20
_SHOWN = {
    "train/loss": "loss {:.4f}",
    "train/accuracy": "train {:.1%}",
    "test/accuracy": "test {:.1%}",
}


class Bars(LivePicture):
    """The live picture of a run."""

    def said(self, record: Record) -> Text | None:
        """Warnings and what the run has to say; an error is said once, at the end."""
        event = record.event
        if not isinstance(event, ev.Message) or event.level == "error":
            return None
        style = "yellow" if event.level == "warning" else ""
        return Text(f"{event.level}: {event.text}", style=style)

    def drawn(self, view: View, now: float, behind: str | None) -> RenderableType:
        """See :func:`picture`."""
        return picture(view, self.name, now, behind)


class Lines(PlainLines):
    """One line an event on a plain stream; progress at most once a minute."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._last_progress = 0.0

    def wanted(self, record: Record) -> bool:
        """All but frequent progress and the error, which is said at the end, with what to do."""
        if isinstance(record.event, ev.Progress):
            if record.ts - self._last_progress < _PROGRESS_LINE_SECONDS:
                return False
            self._last_progress = record.ts
        return not (isinstance(record.event, ev.Message) and record.event.level == "error")


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
        style = "green" if view.status == "finished" else "yellow"
        return Text(f"{view.status}{reason} after {spent(view, now)}", style=style)
    if behind:
        return Text(f"queued behind {behind}", style="yellow")
    return Text(", ".join([f"{view.share:.0%}", *times(view, now)]), style="dim")
