"""From a sweep's cells to one graph of tasks, and what the cells share.

:mod:`core.plan` unites equal tasks; here the graph is seen by cell, and cut into pieces that a
worker can be given alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import UserError
from core.facts import DataFacts
from core.memory import without_collection
from core.plan.build import build_graph
from core.plan.digests import recorded, wanted_scores
from core.plan.tasks import Graph, Task
from core.spec import Spec
from core.spec_load import SpecError
from core.sweep_spec import Cell, shown
from core.units import digest


def data_key(spec: Spec) -> str:
    """Equal for specs that read the same prepared dataset."""
    return digest(spec.data.model_dump(mode="json"))


@dataclass(frozen=True)
class SweepPlan:
    """The cells and their common graph."""

    cells: tuple[Cell, ...]
    graph: Graph

    def piece(self, task: Task) -> Graph:
        """The task and all it needs, as a graph of one spec."""
        return piece(self.graph, task)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The tasks as the journal's ``plan`` lists them, with the ids of their cells."""
        ids = [cell.id for cell in self.cells]
        return [{**t.to_dict(), "cells": [ids[c] for c in t.cells]} for t in self.graph.tasks]

    def shared(self) -> list[Task]:
        """Tasks that more than one cell needs."""
        return [task for task in self.graph.tasks if len(task.cells) > 1]

    def asked_for(self) -> int:
        """How many tasks the cells would have alone, one after another without sharing."""
        return sum(len(task.cells) for task in self.graph.tasks)


def plan_cells(cells: Sequence[Cell], facts: Mapping[str, DataFacts]) -> SweepPlan:
    """One graph for all cells; ``facts`` by :func:`data_key`. SpecError when specs do not fit their
    data, each problem once."""
    try:
        with without_collection():
            graph = build_graph(list(_with_facts(cells, facts)))
    except UserError:
        problems: dict[str, str] = {}
        for cell in cells:  # all of them, and where
            try:
                build_graph([(cell.spec, facts[data_key(cell.spec)])])
            except UserError as error:
                problems.setdefault(str(error), f"{error} ({shown(cell.settings)})")
        raise SpecError(list(problems.values()), "the sweep") from None
    return SweepPlan(tuple(cells), graph)


def _with_facts(
    cells: Sequence[Cell], facts: Mapping[str, DataFacts]
) -> Iterator[tuple[Spec, DataFacts]]:
    """Every spec with the facts of its data; a section that cells share is hashed once."""
    keys: dict[int, str] = {}
    for cell in cells:
        section = id(cell.spec.data)
        if section not in keys:
            keys[section] = data_key(cell.spec)
        yield cell.spec, facts[keys[section]]


def piece(graph: Graph, task: Task) -> Graph:
    """A graph of one spec that holds the task and all it needs, directly or not.

    A needed scoring run carries only the scores this spec reads: the whole graph's may have the
    same score with the settings of other cells.
    """
    spec, facts = graph.spec_of(task), graph.facts[task.cells[0]]
    needs = [replace(need, cells=(0,)) for need in _needed(graph, task)]
    own = recorded(wanted_scores(spec))
    needs = [replace(n, scores=own) if n.scores else n for n in needs]
    return Graph((*needs, replace(task, cells=(0,))), (spec,), (facts,))


def _needed(graph: Graph, task: Task) -> list[Task]:
    """All that the task needs, each after what it needs itself."""
    found: dict[str, Task] = {}
    for name in task.needs:
        for need in (*_needed(graph, graph[name]), graph[name]):
            found.setdefault(need.id, need)
    return list(found.values())
