"""Cells that have ended, on their way to a run folder of their own."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core import events as ev
from core import slots
from core.facts import DataFacts
from core.planning import SweepPlan, data_key
from core.sweeps import Sweep
from prunectl.sweep.ledger import Ledger

_TRIES = 3


@dataclass(frozen=True)
class Ending:
    """How a cell ended: finished or failed, why, and what was said."""

    cell: int
    status: str
    reason: str | None = None
    what: str = ""


class Endings:
    """Fills the folders of ended cells and says that they are there."""

    def __init__(
        self, sweep: Sweep, plan: SweepPlan, facts: Mapping[str, DataFacts], ledger: Ledger,
        emit: Callable[[ev.CellFinished, Sequence[str]], None],
    ) -> None:  # fmt: skip
        self._sweep, self._plan, self._facts, self._ledger = sweep, plan, facts, ledger
        self._emit = emit
        self._waiting: deque[Ending] = deque()
        self._tries: Counter[int] = Counter()

    def add(self, ending: Ending) -> None:
        """A cell has ended."""
        self._waiting.append(ending)

    def next(self) -> Ending | None:
        """One whose folder is to be filled."""
        return self._waiting.popleft() if self._waiting else None

    def __len__(self) -> int:
        return len(self._waiting)

    def job(
        self, ending: Ending, keys: Mapping[str, Sequence[str]], reused: Mapping[str, bool]
    ) -> slots.CellJob:
        """What a worker needs; ``keys`` and ``reused`` by the tasks of the sweep."""
        cell, names = self._plan.cells[ending.cell], self._plan.graph.names[ending.cell]
        done = {alone: there for alone, there in names.items() if there in keys}
        return slots.CellJob(
            self._sweep.cell(cell.id).path, cell.spec, self._facts[data_key(cell.spec)],
            {alone: keys[there] for alone, there in done.items()},
            {alone: reused[there] for alone, there in done.items()},
            dict(names), self._sweep.journal, self._ledger.of_tasks(names.values()),
            ending.status, ending.reason, ending.what, self._ledger.began or 0.0,
        )  # fmt: skip

    def filled(self, ending: Ending, report: slots.Report) -> None:
        """A worker has answered. Dead ones are tried again, but not for ever."""
        name = self._plan.cells[ending.cell].id
        if isinstance(report, slots.Done):
            said = ev.CellFinished(name, ending.status, ending.reason, ending.what, report.value)
            self._emit(said, [name])
            return
        self._tries[ending.cell] += 1
        if isinstance(report, slots.Failed):
            self._emit(ev.CellFinished(name, "failed", report.kind, report.what), [name])
        elif self._tries[ending.cell] >= _TRIES:
            what = "the worker that writes its results died"
            self._emit(ev.CellFinished(name, "failed", "crashed", what), [name])
        else:
            self.add(ending)
