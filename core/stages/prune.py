"""Choose the samples a trial keeps. Seals ``kept.npy``, sorted int64 ``[n_keep]``.

Every method differs only in the table of scores it hands to the policy: :mod:`core.stages.rows`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core import registry
from core.data.bank import targets_digest
from core.errors import UserError
from core.plan.tasks import Graph, Task
from core.plan.trials import Trial, subset_size
from core.rng import generator
from core.selection.base import keep
from core.stages.base import Context, Entry, metered
from core.stages.rows import read_keys, source_of, table, trial_of


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the kept ids."""
    trial, spec = trial_of(task), ctx.spec(task)
    assert trial.policy is not None
    policy = registry.describe("policy", trial.policy)
    parts: dict[str, Any] = {
        "policy": policy.version,
        "params": spec.prune.params if trial.policy == spec.prune.policy else {},
        "n": len(ctx.dataset.train),
        "n_keep": trial.n_keep,
        "rate": trial.rate,
        "seed": task.seed,
        "reads": source_of(task, ctx),
        "from": read_keys(task, ctx),
    }
    if "labels" in policy.constants.get("NEEDS", ()):
        everyone = np.arange(len(ctx.dataset.train), dtype=np.int64)
        parts["targets"] = targets_digest(ctx.source.train, everyone)
    return [Entry("prune", parts)]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Select and seal."""
    trial = trial_of(task)
    with metered(ctx) as meter:
        ids, rows = table(task, ctx)
        kept = ids
        if trial.n_keep < len(ids):
            rng = generator(task.seed, "analysis", "select")
            module: Any = registry.load("policy", str(trial.policy))
            rate = rate_among(trial, len(ids), len(ctx.dataset.train))
            kept = ids[keep(module, rows, trial.n_keep, rate, rng)]
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "kept.npy", kept)
        out.parts.update(missing[0].parts)
        out.cost.update(meter.cost())


def rate_among(trial: Trial, among: int, total: int) -> float:
    """The share that is pruned of the ``among`` samples a method chooses from: as the user wrote it
    where these are all."""
    return trial.rate if among == total else 1 - trial.n_keep / among


def refuse_impossible(graph: Graph) -> None:
    """Ask the policies whether their settings can work at all, before anything is trained."""
    for task in graph.tasks:
        spec, facts = graph.spec_of(task), graph.facts[task.cells[0]]
        if task.stage != "prune" or trial_of(task).policy != spec.prune.policy:
            continue
        trial, module = trial_of(task), registry.load("policy", spec.prune.policy)
        among = subset_size(spec, facts) if trial.method == "subset_only" else facts.n_train
        if trial.n_keep == among or not hasattr(module, "check"):
            continue
        try:
            rate = rate_among(trial, among, facts.n_train)
            module.check(module.Params(**spec.prune.params), rate)
        except UserError as error:
            where = f"{trial.method} at rate {trial.rate:.4g}: "
            raise UserError(where + error.what, error.todo) from None
