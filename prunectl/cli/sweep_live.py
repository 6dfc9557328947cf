"""A sweep while it works: cells, status, best so far and time left on a terminal; one line an
event elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from core import events as ev
from core.journal import Record
from prunectl import words
from prunectl.cli.live_screen import LivePicture, PlainLines, spent, times
from prunectl.sweep.table import short
from prunectl.sweep.view import CellView, SweepView
from prunectl.view import FAILED, View

_ROWS = 16
_TASKS = 4
_FIRST = {"running": 0, "begun": 1, "failed": 2, "finished": 3, "queued": 4}
_STYLE = {"running": "cyan", "failed": "red", "finished": "green"}
_QUIET = (ev.Points, ev.Progress, ev.Checkpoint, ev.Resumed, ev.Extrapolated)


class SweepBars(LivePicture):
    """The live picture of a sweep."""

    def said(self, record: Record) -> Text | None:
        """Failed cells and warnings."""
        event = record.event
        if isinstance(event, ev.CellFinished) and event.status == FAILED:
            return Text(f"{event.cell} failed: {event.what}", style="red")
        if isinstance(event, ev.Message) and event.level == "warning":
            return Text(f"warning: {event.text}", style="yellow")
        return None

    def drawn(self, view: View, now: float, behind: str | None) -> RenderableType:
        """See :func:`picture`."""
        assert isinstance(view, SweepView)
        return picture(view, self.name, now, behind)


class SweepLines(PlainLines):
    """One line an event on a plain stream; what repeats while a task works is left out."""

    def wanted(self, record: Record) -> bool:
        """All that a sweep says but what its tasks say all the time."""
        return not isinstance(record.event, _QUIET)


def picture(view: SweepView, sweep: str, now: float, behind: str | None = None) -> RenderableType:
    """The whole live picture; fits 80 columns and 26 lines."""
    if not view.tasks:
        waiting = f"queued behind {behind}" if behind else "preparing"
        return Text.assemble((sweep, "bold"), "  ", (waiting, "dim"))
    slots = f"{view.device}, {words.plural(len(view.slots), 'slot')}"
    if view.device == "cpu":
        slots += f" of {words.plural(view.threads, 'thread')}"
    head = Text.assemble((sweep, "bold"), "  ", (slots, "dim"))
    parts: list[RenderableType] = [head, _cells(view), _work(view)]
    if (best := view.best()) is not None:
        parts.append(Text(f"best so far: {_settings(best, view)}, {_figures(best)}"))
    return Group(*parts, _foot(view, now, behind))


def cell_table(cells: Sequence[CellView], view: SweepView) -> Table:
    """Cells with their settings and figures."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for name in ("cell", *(short(key, view.axes) for key in view.axes), "status"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for name in ("done", "accuracy", "held-out", "saving"):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in cells:
        figures = cell.figures
        table.add_row(
            cell.id.partition("-")[0], *(str(cell.settings.get(key)) for key in view.axes),
            Text(_status(cell), style=_STYLE.get(cell.shown, "dim")), f"{cell.done}/{cell.tasks}",
            words.percent(figures.get("test_accuracy")) if figures else "",
            words.number(figures.get("spearman")) if figures else "",
            words.percent(figures.get("saving"), 1) if figures else "",
        )  # fmt: skip
    return table


def _cells(view: SweepView) -> RenderableType:
    """Those at work first; where there are too many, a line says how many are not shown."""
    ordered = sorted(view.cells.values(), key=lambda c: _FIRST.get(c.shown, 9))
    shown = sorted(ordered[:_ROWS], key=lambda c: c.id)
    table = cell_table(shown, view)
    if len(ordered) <= _ROWS:
        return table
    return Group(table, Text(f"and {len(ordered) - _ROWS} more cells", style="dim"))


def _work(view: SweepView) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    tasks = view.at_work()
    for task in tasks[:_TASKS]:
        bar = ProgressBar(total=1.0, completed=task.share, width=20, complete_style="cyan")
        users = len(view.cells_of.get(task.id, ()))
        grid.add_row(task.id, bar, Text(f"for {words.plural(users, 'cell')}", style="dim"))
    if len(tasks) > _TASKS:
        grid.add_row(Text(f"and {len(tasks) - _TASKS} more tasks", style="dim"))
    return grid


def _foot(view: SweepView, now: float, behind: str | None) -> Text:
    counted = ", ".join(f"{n} {name}" for name, n in sorted(view.counted().items()))
    if view.status not in ("queued", "running"):
        style = "green" if view.status == "finished" else "yellow"
        return Text(f"{view.status} after {spent(view, now)}: {counted}", style=style)
    if behind:
        return Text(f"queued behind {behind}", style="yellow")
    return Text(", ".join([counted, f"{view.share:.0%}", *times(view, now)]), style="dim")


def _status(cell: CellView) -> str:
    return f"{cell.shown} ({cell.reason})" if cell.reason else cell.shown


def _settings(cell: CellView, view: SweepView) -> str:
    return ", ".join(f"{short(key, view.axes)} {cell.settings.get(key)}" for key in view.axes)


def _figures(cell: CellView) -> str:
    rate = cell.figures.get("rate")
    return f"{words.percent(cell.figures.get('test_accuracy'))}% at rate {words.number(rate, 2)}"
