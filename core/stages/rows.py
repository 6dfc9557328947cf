"""The table a selection chooses from: which ids, which scores, and what else the policy reads.

Methods differ in this table alone. No method sees full scores but ``full_scores``, which says so in
its name and needs ``reference: full``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.needs import companions, direction, policy_needs
from core.plan.tasks import Task
from core.plan.trials import Trial
from core.rng import generator
from core.selection.base import SelectionInput
from core.stages import direct, measure, neighbors
from core.stages.base import Context, Ids, load
from core.stages.score import score_keys, score_seal, subset_scores

Floats = NDArray[np.float32]
Source = Literal[
    "nothing",
    "subset",
    "subset_scores",
    "true_random",
    "reference",
    "direct",
    "extrapolated",
    "measured",
]


def trial_of(task: Task) -> Trial:
    """The trial a selection or retraining belongs to."""
    assert task.trial is not None
    return task.trial


def read_keys(task: Task, ctx: Context) -> list[str]:
    """Keys of what the selection reads: ids, scores, embeddings, never nets."""
    spec, source = ctx.spec(task), source_of(task, ctx)
    read: list[str] = []
    if source in ("subset", "subset_scores", "true_random"):
        read.append(ctx.seal(ctx.need(task, "subset")).key)
    if source == "extrapolated":
        read.append(ctx.seal(ctx.need(task, "extrapolate")).key)
    elif source == "direct":
        read += [seal.key for seal in direct.seals(task, ctx)]
    for name in names_read(task, ctx) if source not in ("extrapolated", "direct") else ():
        if ctx.has_need(task, "measure"):
            read.append(measure.seal_of(ctx, ctx.need(task, "measure"), spec, name).key)
        elif source == "reference":
            read.append(score_seal(ctx, ctx.need(task, "reference"), spec, name).key)
        elif source not in ("nothing", "subset"):
            read += score_keys(ctx, task, name)
    for stage in ("embed", "neighbors") if _by_spec(task, ctx) else ():
        if _wants(stage, task, ctx):
            read.append(ctx.seal(ctx.need(task, stage)).key)
    return read


def table(task: Task, ctx: Context) -> tuple[Ids, SelectionInput]:
    """Ids a method chooses from, sorted, and what the policy is shown of them."""
    spec, policy = ctx.spec(task), trial_of(task).policy
    assert policy is not None
    ids, columns = _columns(task, ctx)
    directions = {name: direction(name) for name in columns}
    score = columns.get(spec.score.name, np.zeros(len(ids), np.float32))
    module: Any = registry.load("policy", policy)
    own = _by_spec(task, ctx) and hasattr(module, "Params")
    labels = np.asarray(ctx.source.train.targets)[ids]
    rows = SelectionInput(
        score=-score if directions.get(spec.score.name) == "low" else score,
        labels=labels if labels.min() >= 0 else None,
        columns=columns,
        params=module.Params(**spec.prune.params) if own else None,
        directions=directions,
        embeddings=_embeddings(task, ctx, ids) if _wants("embed", task, ctx) else None,
        neighbors=_neighbors(task, ctx, ids) if _wants("neighbors", task, ctx) else None,
    )
    return ids, rows


def source_of(task: Task, ctx: Context) -> Source:
    """Where a method's scores come from."""
    method = trial_of(task).method
    if method == "random":
        return "nothing"
    if method == "subset_only":
        known = ctx.has_need(task, "score") or ctx.has_need(task, "measure")
        return "subset_scores" if known else "subset"
    if method == "true_random":
        return "true_random"
    if method in ("direct", "full_scores"):
        return "direct" if method == "direct" else "reference"
    return "measured" if ctx.has_need(task, "measure") else "extrapolated"


def names_read(task: Task, ctx: Context) -> tuple[str, ...]:
    """The score that is pruned by, and the further ones the policy reads."""
    spec = ctx.spec(task)
    if not _by_spec(task, ctx):
        return (spec.score.name,)
    further = companions(spec.prune.policy, spec.prune.params)
    return (spec.score.name, *(n for n in further if n != spec.score.name))


def _columns(task: Task, ctx: Context) -> tuple[Ids, dict[str, Floats]]:
    """Ids and, by name, the scores as they are (not oriented)."""
    spec, source = ctx.spec(task), source_of(task, ctx)
    everyone = np.arange(len(ctx.dataset.train), dtype=np.int64)
    if source == "nothing":
        return everyone, {}
    if source == "subset":
        return ctx.subset_ids(task), {}
    names = names_read(task, ctx)
    if ctx.has_need(task, "measure"):
        values = {n: measure.read(ctx, ctx.need(task, "measure"), spec, n) for n in names}
        if source == "measured":
            return everyone, values
        ids = ctx.subset_ids(task)
        return ids, {name: column[ids] for name, column in values.items()}
    if source == "reference":
        seals = {n: score_seal(ctx, ctx.need(task, "reference"), spec, n) for n in names}
        return everyone, {n: load(seal.path / "values.npy") for n, seal in seals.items()}
    if source == "direct":
        return everyone, {n: direct.read(task, ctx, n) for n in names}
    if source == "extrapolated":
        merged = load(ctx.seal(ctx.need(task, "extrapolate")).path / "scores.npy")
        return everyone, {n: merged[:, spec.score.names.index(n)] for n in names}
    ids, measured = ctx.subset_ids(task), {n: subset_scores(ctx, task, n) for n in names}
    if source == "subset_scores":
        return ids, measured
    return everyone, _drawn(task, ids, measured, len(everyone))


def _drawn(task: Task, ids: Ids, measured: dict[str, Floats], count: int) -> dict[str, Floats]:
    """true_random: draws from the subset's distribution stand where a prediction would; further
    scores are those of the same drawn sample."""
    drawn = generator(task.seed, "analysis", "extrapolate").choice(len(ids), size=count)
    drawn[ids] = np.arange(len(ids))
    return {name: values[drawn] for name, values in measured.items()}


def _by_spec(task: Task, ctx: Context) -> bool:
    """Whether the trial's policy is the spec's, and not the baseline's own."""
    trial = trial_of(task)
    return trial.policy == ctx.spec(task).prune.policy and trial.method != "random"


def _wants(stage: str, task: Task, ctx: Context) -> bool:
    what = {"embed": "embeddings", "neighbors": "neighbors"}[stage]
    wanted = _by_spec(task, ctx) and what in policy_needs(ctx.spec(task).prune.policy)
    return wanted and source_of(task, ctx) != "subset"


def _embeddings(task: Task, ctx: Context, ids: Ids) -> Floats:
    path = ctx.seal(ctx.need(task, "embed")).path / "embeddings.npy"
    everyone = np.load(path, mmap_mode="r")
    return np.asarray(everyone if len(ids) == len(everyone) else everyone[ids])


def _neighbors(task: Task, ctx: Context, ids: Ids) -> tuple[Floats, Ids]:
    """Neighbours among the rows of the table; -1 where one is not in it."""
    near = neighbors.read(task, ctx)
    if len(ids) == len(near.indices):
        return near.distances, near.indices
    row = np.full(len(near.indices), -1, dtype=np.int64)
    row[ids] = np.arange(len(ids))
    return near.distances[ids], row[near.indices[ids]]
