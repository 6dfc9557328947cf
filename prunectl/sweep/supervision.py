"""A process's hold on a sweep: its lock, what was told before, requests to stop, the journal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from core import events as ev
from core.errors import UserError
from core.journal import Record
from core.runs import Run
from core.session import Session, differences
from core.sweep_spec import SweepSpec
from core.sweeps import Sweep
from prunectl.sweep.executor import Executor
from prunectl.sweep.ledger import Ledger
from prunectl.sweep.options import Options

_MANY_CELLS = 64
_FREQUENT = (ev.Points, ev.Progress, ev.Checkpoint, ev.Resumed)
_DURABLE = (ev.SweepStarted, ev.TaskFinished, ev.CellFinished, ev.RunFinished)


class Supervision(Session):
    """The supervisor's hold on a sweep: lock, journal, heartbeat, signals."""

    def __init__(self, sweep: Sweep, options: Options) -> None:
        super().__init__(Run(sweep.path))
        self.sweep, self.options = sweep, options
        self.ledger = Ledger()
        self.finish_only = False
        """Begin nothing more: what runs may end."""
        self.executor: Executor | None = None

    def _history(self) -> list[Record]:
        self.ledger.read(self.sweep.journal)
        return []

    def _given(self) -> SweepSpec:
        spec = self.sweep.spec()
        first = self.ledger.first
        if first is not None and (changes := differences(first.definition, spec.to_dict())):
            raise UserError(
                "the sweep was changed since it was started:\n  " + "\n  ".join(changes),
                "undo the change, or start a new sweep",
            )
        return spec

    def _look_for_requests(self) -> None:
        request = self.sweep.path / "stop.request"
        try:
            text = request.read_text(encoding="utf-8").strip()
        except OSError:
            return
        if text == "finish":
            self.finish_only = True
        else:
            self.stop.set()

    def _at_once(self) -> None:
        if self.executor is not None:
            self.executor.kill_all()

    def emit(self, event: ev.Event) -> None:
        """An event of the sweep as a whole."""
        self.tell(event, (), None)

    def tell(self, event: ev.Event, cells: Sequence[str], task: str | None) -> None:
        """Write an event of a task, with the cells that need it: of a task of very many cells not
        on every line, the plan has them."""
        if len(cells) > _MANY_CELLS and isinstance(event, _FREQUENT):
            cells = ()
        durable = isinstance(event, _DURABLE)
        seq = self.journal.seq
        offset = self.journal.append(event, durable=durable, cells=cells, task=task)
        self.ledger.note(offset, Record(seq, time.time(), event, tuple(cells), task))
