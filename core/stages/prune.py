"""Choose the samples a trial keeps. Seals ``kept.npy``, sorted int64 ``[n_keep]``.

Every method differs only in the table of scores it hands to the policy; no method sees full scores
but ``full_scores``, which says so in its name and needs ``reference: full``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.data.bank import targets_digest
from core.plan import Task, Trial
from core.rng import generator
from core.selection.base import SelectionInput, keep
from core.stages.base import Context, Entry, Ids, load, metered
from core.stages.score import oriented, score_seal


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the kept ids."""
    trial, spec = _trial(task), ctx.spec(task)
    assert trial.policy is not None
    policy = registry.describe("policy", trial.policy)
    parts: dict[str, Any] = {
        "policy": policy.version,
        "params": spec.prune.params if trial.policy == spec.prune.policy else {},
        "n": len(ctx.dataset.train),
        "n_keep": trial.n_keep,
        "rate": trial.rate,
        "seed": task.seed,
        "reads": _kind(trial, task, ctx),
        "from": _read_keys(task, ctx),
    }
    if "labels" in policy.constants.get("NEEDS", ()):
        everyone = np.arange(len(ctx.dataset.train), dtype=np.int64)
        parts["targets"] = targets_digest(ctx.source.train, everyone)
    return [Entry("prune", parts)]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Select and seal."""
    with metered(ctx) as meter:
        among, scores = table(task, ctx)
        kept = _select(_trial(task), task, ctx, among, scores)
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "kept.npy", kept)
        out.parts.update(missing[0].parts)
        out.cost.update(meter.cost())


def _select(
    trial: Trial,
    task: Task,
    ctx: Context,
    among: Ids,
    scores: NDArray[np.float32],
) -> Ids:
    """Run the policy on the rows it may choose from and give their ids."""
    if trial.n_keep == len(among):
        return among
    assert trial.policy is not None
    module: Any = registry.load("policy", trial.policy)
    own = trial.policy == ctx.spec(task).prune.policy and hasattr(module, "Params")
    params = module.Params(**ctx.spec(task).prune.params) if own else None
    labels = np.asarray(ctx.source.train.targets)[among]
    rows = SelectionInput(score=scores, labels=labels if labels.min() >= 0 else None, params=params)
    rng = generator(task.seed, "analysis", "select")
    kept: Ids = among[keep(module, rows, trial.n_keep, 1 - trial.n_keep / len(among), rng)]
    return kept


def table(task: Task, ctx: Context) -> tuple[Ids, NDArray[np.float32]]:
    """Ids a method chooses from and their scores, oriented so that higher is kept."""
    trial, spec = _trial(task), ctx.spec(task)
    everyone = np.arange(len(ctx.dataset.train), dtype=np.int64)
    name, kind = spec.score.name, _kind(trial, task, ctx)
    if kind == "nothing":
        return everyone, np.zeros(len(everyone), dtype=np.float32)
    if kind == "subset":
        ids = ctx.subset_ids(task)
        return ids, np.zeros(len(ids), dtype=np.float32)
    if kind == "reference":
        seal = score_seal(ctx, ctx.need(task, "reference"), spec, name)
        return everyone, oriented(seal, load(seal.path / "values.npy"))
    seal = score_seal(ctx, ctx.need(task, "score"), spec, name)
    if kind == "extrapolated":
        merged = load(ctx.seal(ctx.need(task, "extrapolate")).path / "scores.npy")[:, 0]
        return everyone, oriented(seal, merged)
    ids, measured = ctx.subset_ids(task), oriented(seal, load(seal.path / "values.npy"))
    if kind == "subset_scores":
        return ids, measured
    # true_random: draws from the subset's distribution stand where a prediction would.
    drawn = generator(task.seed, "analysis", "extrapolate").choice(measured, size=len(everyone))
    drawn[ids] = measured
    return everyone, drawn.astype(np.float32)


def _kind(trial: Trial, task: Task, ctx: Context) -> str:
    """Which table of scores the method selects from."""
    if trial.method == "random":
        return "nothing"
    if trial.method == "subset_only":
        return "subset_scores" if ctx.has_need(task, "score") else "subset"
    if trial.method == "true_random":
        return "true_random"
    return "reference" if trial.method == "full_scores" else "extrapolated"


def _read_keys(task: Task, ctx: Context) -> list[str]:
    """Keys of what the selection reads: ids and scores, never nets."""
    spec = ctx.spec(task)
    kind, name = _kind(_trial(task), task, ctx), spec.score.name
    if kind == "extrapolated":
        return [ctx.seal(ctx.need(task, "extrapolate")).key]
    if kind == "reference":
        return [score_seal(ctx, ctx.need(task, "reference"), spec, name).key]
    if kind == "nothing":
        return []
    read = [ctx.seal(ctx.need(task, "subset")).key]
    if kind != "subset":
        read.append(score_seal(ctx, ctx.need(task, "score"), spec, name).key)
    return read


def _trial(task: Task) -> Trial:
    assert task.trial is not None
    return task.trial
