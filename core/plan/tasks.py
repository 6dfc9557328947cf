"""What a task is, and a graph of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from core.facts import DataFacts
from core.plan.trials import Trial
from core.spec import Spec


@dataclass(frozen=True)
class Task:
    """A unit of work: one stage with its inputs.

    ``passes`` counts samples shown to a net (with backward or not), evaluation left out.
    ``scores`` are the resolved score sections that a scoring task records; ``net`` counts the
    scoring nets of a seed that are averaged, or the folds that cross-fitted nets leave out.
    """

    id: str
    stage: str
    seed: int
    needs: tuple[str, ...] = ()
    trial: Trial | None = None
    passes: int = 0
    extra_passes: int = 0
    scores: tuple[Mapping[str, Any], ...] = ()
    net: int = 0
    identity: str = ""
    cells: tuple[int, ...] = (0,)

    def to_dict(self) -> dict[str, Any]:
        """The task as the journal's ``plan`` event lists it."""
        return {
            "task": self.id, "stage": self.stage, "seed": self.seed,
            "trial": self.trial.id if self.trial else None, "needs": list(self.needs),
            "sample_passes": self.passes,
        }  # fmt: skip


@dataclass(frozen=True)
class Graph:
    """Tasks in an order in which each comes after what it needs."""

    tasks: tuple[Task, ...]
    specs: tuple[Spec, ...]
    facts: tuple[DataFacts, ...] = field(default=())
    names: tuple[Mapping[str, str], ...] = field(default=())
    """By cell: the task ids it would have alone -> the ids in this graph."""

    @cached_property
    def _by_id(self) -> dict[str, Task]:
        return {task.id: task for task in self.tasks}

    def __getitem__(self, task_id: str) -> Task:
        return self._by_id[task_id]

    def spec_of(self, task: Task) -> Spec:
        """A spec that describes the task; all its cells agree on what it reads."""
        return self.specs[task.cells[0]]

    def of_cell(self, cell: int) -> list[Task]:
        """The tasks one spec asked for."""
        return [t for t in self.tasks if cell in t.cells]
