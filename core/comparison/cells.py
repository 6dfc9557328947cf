"""A sweep's cells for a comparison: those with results, and what is known of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core import events as ev
from core.errors import UserError
from core.journal import Tail
from core.runs import Run
from core.sweeps import Sweep

_UNREAD = ("points", "progress", "plan", "checkpoint", "task_started", "task_finished")


@dataclass(frozen=True)
class Ended:
    """How a cell without a whole result ended: status, reason, what was said."""

    cell: str
    status: str
    reason: str
    what: str


@dataclass(frozen=True)
class Cells:
    """``runs`` by cell id, those that have a result; ``others``: cells that are not finished,
    whether they have some result or none."""

    runs: dict[str, Run]
    others: tuple[Ended, ...]


def cells_of(sweep: Sweep) -> Cells:
    """The cells of a sweep. UserError when none has a result yet."""
    runs = {run.path.name: run for run in sweep.ended_cells() if _has_result(run)}
    if not runs:
        state = sweep.state().shown
        raise UserError(f"{sweep.id} has no cell with a result yet ({state})", _todo(sweep))
    return Cells(runs, tuple(_unfinished(sweep)))


def absent(sweep: Sweep, cells: Cells) -> list[str]:
    """Sentences about the cells that cannot be compared at all."""
    return [
        f"{other.cell} of {sweep.id} is not compared: {other.status}"
        + (f" ({other.reason})" if other.reason else "")
        for other in cells.others
        if other.cell not in cells.runs
    ]


def _has_result(run: Run) -> bool:
    trials = (run.summary() or {}).get("trials") or ()
    return any(trial.get("metrics") for trial in trials)


def _unfinished(sweep: Sweep) -> Iterator[Ended]:
    """Cells by the last word on each; those with none are pending."""
    last: dict[str, ev.CellFinished] = {}
    every: list[str] = []
    tail = Tail(sweep.journal, without=_UNREAD)
    while records := tail.poll():
        for record in records:
            if isinstance(record.event, ev.CellFinished):
                last[record.event.cell] = record.event
            elif isinstance(record.event, ev.SweepStarted):
                every = [str(cell.get("id")) for cell in record.event.cells]
    for cell in every:
        told = last.get(cell)
        if told is None:
            yield Ended(cell, "pending", "", "")
        elif told.status != "finished":
            yield Ended(cell, told.status, told.reason or "", told.what)


def _todo(sweep: Sweep) -> str:
    live = sweep.state().alive
    return f"follow it with: prunectl attach {sweep.id}" if live else "see: prunectl show"
