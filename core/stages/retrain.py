"""Train a fresh net on the kept samples and test it.

Seals ``predictions.npy`` (int32 ``[n_test]``), the curve, and the weights where they are wanted.
The key holds the hash of the kept ids: equal sets train once, whoever chose them.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from core.needs import SAMPLERS
from core.plan.passes import retrain_steps
from core.plan.tasks import Task
from core.stages.base import Context, Entry, Ids, load, plain
from core.stages.rows import trial_of
from core.stages.train_task import Training, save_net
from core.store import Seal
from core.training.infobatch import InfoBatch
from core.training.mixed import mixed
from core.training.rs2 import RepeatedRandom
from core.training.sampler import Sampler

ROLE = "retraining"


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: a training on exactly these ids, or on what a sampler draws of all."""
    ids = kept_ids(task, ctx)
    recipe = plain(ctx.spec(task).retrain)
    for key in ("budget", "epochs"):  # both are in the number of steps, or in the seconds
        recipe.pop(key)
    if (seconds := _seconds(task, ctx)) is None:
        recipe["steps"] = _steps(task, ctx)
    else:
        recipe["seconds"] = seconds
    if (trial := trial_of(task)).method in SAMPLERS:
        recipe["sampler"] = [trial.method, trial.rate, trial.n_keep]
    return [Entry("retrain", ctx.net_parts(task, ROLE, ids, recipe))]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Train, test, seal."""
    spec, ids = ctx.spec(task), kept_ids(task, ctx)
    training = Training(
        task, ctx, missing[0].key, ROLE, ids, spec.retrain, _steps(task, ctx),
        _sampler(task, ctx, ids), _seconds(task, ctx),
    )  # fmt: skip
    net, trained, meter = training.run(None)
    with ctx.store.writing(missing[0].key) as out:
        out.parts.update(missing[0].parts)
        out.cost.update(training.cost(trained, meter))
        out.meta.update(training.meta(trained))
        out.meta["weights_sha256"] = save_net(out.path, net, keep=spec.compute.keep_models == "all")
        assert trained.predictions is not None  # the test feed was given
        np.save(out.path / "predictions.npy", trained.predictions)
        (out.path / "curve.json").write_text(json.dumps(trained.history), encoding="utf-8")
    training.forget()


def acceptable(task: Task, ctx: Context, seal: Seal) -> bool:
    """A seal without weights does not do when weights are asked for."""
    wanted = ctx.spec(task).compute.keep_models == "all"
    return not wanted or (seal.path / "weights.pt").exists()


def kept_ids(task: Task, ctx: Context) -> Ids:
    """The ids the trial trains on: its selection, or everything."""
    if ctx.has_need(task, "prune"):
        ids: Ids = load(ctx.seal(ctx.need(task, "prune")).path / "kept.npy")
        return ids
    return np.arange(len(ctx.dataset.train), dtype=np.int64)


def _steps(task: Task, ctx: Context) -> int:
    facts: Any = ctx.graph.facts[task.cells[0]]
    return retrain_steps(ctx.spec(task), facts, trial_of(task).n_keep)


def _seconds(task: Task, ctx: Context) -> float | None:
    """What training on everything took this seed, where that is the budget; None: steps count."""
    if not ctx.has_need(task, "retrain"):
        return None
    return float(ctx.seal(ctx.need(task, "retrain")).cost["seconds"])


def _sampler(task: Task, ctx: Context, ids: Ids) -> Sampler | None:
    """What draws every epoch anew: a method that keeps nothing, or a recipe that mixes samples."""
    trial = trial_of(task)
    common = (len(ctx.dataset.train), trial.n_keep, trial.rate, task.seed, ROLE)
    if trial.method == "rs2":
        return RepeatedRandom(*common)
    if trial.method == "infobatch":
        return InfoBatch(*common, ctx.compute.device)
    recipe, facts = ctx.spec(task).retrain, ctx.graph.facts[task.cells[0]]
    return mixed(recipe, ids, ctx.dataset.train, facts, task.seed, ROLE)
