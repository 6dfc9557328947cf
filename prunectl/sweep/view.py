"""What a sweep looks like after some of its events: the reducer of all front ends.

The tasks are those of :class:`prunectl.view.View`; here are the cells they belong to. No clock, no
file: the same records give the same view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core import events as ev
from core.journal import Record
from prunectl import view as run_view
from prunectl.view import ENDED, FAILED, RUNNING, WAITING, TaskView, View

QUEUED, FINISHED, STOPPED = "queued", "finished", "stopped"


@dataclass
class CellView:
    """One cell. ``status``: queued, running (some of its tasks began), finished, failed."""

    id: str
    settings: Mapping[str, Any]
    tasks: int = 0
    done: int = 0
    running: int = 0
    status: str = QUEUED
    reason: str | None = None
    what: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    """Its tasks that failed: when one of them begins again, so does the cell."""

    @property
    def ended(self) -> bool:
        """Finished, failed, or stopped because labels are missing."""
        return self.status in (FINISHED, FAILED, STOPPED)

    @property
    def shown(self) -> str:
        """The status for people."""
        if self.ended:
            return self.status
        return RUNNING if self.running else ("begun" if self.done else QUEUED)


@dataclass
class SweepView(View):
    """A sweep as its journal tells it."""

    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    cells: dict[str, CellView] = field(default_factory=dict)
    slots: Sequence[Mapping[str, Any]] = ()
    cells_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By task: the cells that need it."""

    def at_work(self) -> list[TaskView]:
        """All tasks that are being worked on."""
        return [task for task in self.tasks.values() if task.status == RUNNING]

    def counted(self) -> dict[str, int]:
        """Number of cells by what they are shown as."""
        found: dict[str, int] = {}
        for cell in self.cells.values():
            found[cell.shown] = found.get(cell.shown, 0) + 1
        return found

    def best(self) -> CellView | None:
        """The finished cell with the highest test accuracy of its method at the first rate."""
        known = [
            c for c in self.cells.values() if c.status == FINISHED and _accuracy(c) is not None
        ]
        return max(known, key=lambda c: _accuracy(c) or 0.0, default=None)

    def seconds_left(self, now: float) -> float | None:
        """Time left at the speed of this session, the slots working side by side."""
        alone = super().seconds_left(now)
        return None if alone is None else alone / max(1, len(self.slots))


def _accuracy(cell: CellView) -> float | None:
    return cell.figures.get("test_accuracy")


def apply(view: View, record: Record) -> None:
    """Bring a sweep's view up to one more record."""
    assert isinstance(view, SweepView)
    event = record.event
    task = getattr(event, "task", None)
    before = view.tasks[task].status if task in view.tasks else WAITING
    run_view.apply(view, record)
    if isinstance(event, ev.SweepStarted):
        _started(view, event)
    elif isinstance(event, ev.Plan):
        _planned(view, event)
    elif isinstance(event, ev.CellFinished):
        _cell_finished(view, event)
    elif isinstance(event, ev.RunFinished):
        abandoned(view)
    elif task in view.tasks:
        _count(view, str(task), before, view.tasks[str(task)].status)


def abandoned(view: SweepView) -> None:
    """Nobody works on the sweep any more, whether its journal says so or its process just died."""
    for task in view.tasks.values():
        if task.status == RUNNING:
            task.status = WAITING
    for cell in view.cells.values():
        cell.running = 0


def _started(view: SweepView, event: ev.SweepStarted) -> None:
    view.run, view.host, view.slots, view.versions = (
        event.sweep, event.host, event.slots, event.versions,
    )  # fmt: skip
    view.device = ", ".join(sorted({str(slot.get("device")) for slot in event.slots}))
    view.threads = int(event.slots[0].get("threads", 1)) if event.slots else 0
    view.axes = event.definition.get("axes", {})
    view.spec = event.definition.get("base", {})
    view.status, view.reason, view.errors = RUNNING, None, []
    view.sessions += 1
    view.work_began = None
    for task in view.tasks.values():
        if task.status in (RUNNING, FAILED):
            task.status, task.failure = WAITING, None
        task.began = None
    known = view.cells
    view.cells = {
        str(plain["id"]): known.get(
            str(plain["id"]), CellView(str(plain["id"]), plain.get("settings", {}))
        )
        for plain in event.cells
    }


def _planned(view: SweepView, event: ev.Plan) -> None:
    view.cells_of = {str(t["task"]): tuple(t.get("cells") or ()) for t in event.tasks}
    for cell in view.cells.values():
        cell.tasks = cell.done = cell.running = 0
    for name, cells in view.cells_of.items():
        for cell in _cells(view, cells):
            cell.tasks += 1
            cell.done += view.tasks[name].status in ENDED


def _cells(view: SweepView, names: Sequence[str]) -> list[CellView]:
    return [view.cells[name] for name in names if name in view.cells]


def _count(view: SweepView, task: str, before: str, after: str) -> None:
    if before == after:
        return
    for cell in _cells(view, view.cells_of.get(task, ())):
        cell.done += (after in ENDED) - (before in ENDED)
        cell.running += (after == RUNNING) - (before == RUNNING)
        if after == FAILED:
            cell.broken = (*cell.broken, task)
        elif after == RUNNING and task in cell.broken:  # it is tried again
            cell.broken = ()
            cell.status, cell.reason, cell.what = QUEUED, None, ""


def _cell_finished(view: SweepView, event: ev.CellFinished) -> None:
    cell = view.cells.setdefault(event.cell, CellView(event.cell, {}))
    cell.status, cell.reason, cell.what = event.status, event.reason, event.what
    cell.figures = event.figures
