"""What a sweep's journal knows of tasks and cells: where their lines are, how far they came.

Read once when a supervisor takes the sweep, then kept up to date by the supervisor itself.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core import events as ev
from core.journal import Record, indexed
from core.slots import Told


@dataclass
class Ledger:
    """By task: the bytes where its lines begin. By cell: how it ended last."""

    lines: dict[str, array[int]] = field(default_factory=lambda: defaultdict(_numbers))
    finished: set[str] = field(default_factory=set)
    ended: dict[str, ev.CellFinished] = field(default_factory=dict)
    first: ev.SweepStarted | None = None
    began: float | None = None

    def read(self, journal: Path) -> None:
        """Take in what earlier supervisors told."""
        for offset, record in indexed(journal):
            self.note(offset, record)

    def note(self, offset: int, record: Record) -> None:
        """Take in one line."""
        event = record.event
        task = getattr(event, "task", None) or record.task
        if task is not None:
            if not isinstance(event, ev.Progress):  # nobody needs them when the task is over
                self.lines[task].append(offset)
            if isinstance(event, ev.TaskFinished):
                self.finished.add(task)
        elif isinstance(event, ev.CellFinished):
            self.ended[event.cell] = event
        elif isinstance(event, ev.SweepStarted) and self.first is None:
            self.first, self.began = event, record.ts

    def told(self, task: str) -> Told:
        """How much of the task the journal holds."""
        if task in self.finished:
            return "whole"
        return "in part" if self.lines.get(task) else "not"

    def of_tasks(self, tasks: Iterable[str]) -> list[int]:
        """Bytes of all lines about these tasks, in order."""
        return sorted(offset for task in tasks for offset in self.lines.get(task, ()))


def _numbers() -> array[int]:
    return array("q")
