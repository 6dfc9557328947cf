"""The blocks of all cells put together, equal tasks once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from core.facts import DataFacts
from core.plan.choosing import prediction_tasks, selection_task
from core.plan.digests import Digests
from core.plan.names import TaskNames
from core.plan.passes import direct_passes, scoring_passes
from core.plan.retraining import Retrainings
from core.plan.scoring import scoring_tasks
from core.plan.tasks import Graph, Task
from core.plan.trials import Trial, subset_size, trials
from core.spec import Spec
from core.uniting import Blocks, Draft, Drafts

_SCORING = (
    "data", "paradigm", "model", "subset", "train", "score", "embed", "baselines", "reference",
    "compute",
)  # fmt: skip
_CHOOSING = (*_SCORING, "extrapolate", "prune")
_RETRAINING = ("data", "paradigm", "model", "retrain", "compute")


def build_graph(cells: Sequence[tuple[Spec, DataFacts]]) -> Graph:
    """The graph of all cells, equal tasks united. UserError when a spec does not fit its data."""
    planner = _Planner()
    names = [planner.add(index, *cell) for index, cell in enumerate(cells)]
    tasks = tuple(_finished(draft, cells) for draft in planner.order)
    return Graph(tasks, tuple(s for s, _ in cells), tuple(f for _, f in cells), tuple(names))


@dataclass(frozen=True, eq=False)
class _Chosen:
    """What is done between the scores and the retrainings of one seed, which come in pairs with
    the selections they read (None: they read none)."""

    predicted: Mapping[str, Draft]
    selected: Sequence[tuple[Trial, str, Draft | None]]
    """Trials with their ids."""


class _Planner:
    """Describes the tasks of cell after cell, in blocks that cells with the same sections share:
    what is trained on the subset, what is chosen by it, and the retrainings."""

    def __init__(self) -> None:
        self.order: list[Draft] = []
        shared = Drafts(), Digests()
        self._scored = Blocks(partial(_scored, *shared), _SCORING)
        self._chosen = Blocks(partial(_chosen, *shared, self._scored), _CHOOSING)
        self._retrainings = Blocks(partial(Retrainings, *shared), _RETRAINING)

    def add(self, index: int, spec: Spec, facts: DataFacts) -> dict[str, str]:
        """Count a cell's tasks; their ids in the graph by those they would have alone."""
        found: dict[str, Draft] = {}
        for seed in spec.seeds:
            found |= self._scored.of(spec, facts, seed)
            chosen = self._chosen.of(spec, facts, seed)
            found |= chosen.predicted
            retrained = self._retrainings.of(spec, facts, seed)
            # where the others take as long as full it comes first
            full_first = (
                sorted(chosen.selected, key=_not_full) if retrained.timed else chosen.selected
            )
            for trial, name, selection in full_first:
                if selection is not None:
                    found[f"prune-{name}"] = selection
                found[f"retrain-{name}"] = retrained.of(trial, name, selection)
        for draft in found.values():
            if not draft.cells:
                self.order.append(draft)
            draft.cells.append(index)
        return {name: draft.id for name, draft in found.items()}


def _scored(
    drafts: Drafts, digests: Digests, spec: Spec, facts: DataFacts, seed: int
) -> dict[str, Draft]:
    return drafts.block(scoring_tasks(spec, facts, seed, digests), seed)


def _chosen(
    drafts: Drafts, digests: Digests, scored: Blocks[dict[str, Draft]],
    spec: Spec, facts: DataFacts, seed: int,
) -> _Chosen:  # fmt: skip
    before, names = scored.of(spec, facts, seed), TaskNames(spec, seed)
    predicted = drafts.block(prediction_tasks(spec, facts, names, digests), seed, before)
    known, selected = {**before, **predicted}, []
    for trial in trials(spec, facts, seed):
        task = selection_task(spec, facts, names, trial, digests)
        selected.append((trial, trial.id, task and drafts.of(task, seed, known)))
    return _Chosen(predicted, selected)


def _not_full(selected: tuple[Trial, str, Draft | None]) -> bool:
    return selected[0].method != "full"


def _finished(draft: Draft, cells: Sequence[tuple[Spec, DataFacts]]) -> Task:
    """The task; a scoring task with the passes of all its cells' scores."""
    scores = tuple(draft.scores.values())
    fields = {**draft.fields, "cells": tuple(draft.cells), "scores": scores}
    task = Task(draft.id, identity=draft.identity, **fields)
    if not scores or len(draft.cells) == 1:
        return task
    spec, facts = cells[task.cells[0]]
    size = subset_size(spec, facts)
    if task.stage == "direct":
        return replace(task, **direct_passes(spec, facts, size, scores))
    count = facts.n_train if task.stage == "reference" else size
    return replace(task, **scoring_passes(spec, facts, count, scores))
