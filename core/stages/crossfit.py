"""Train one net without a fold of the subset and watch it on all samples it does not see.

Every task is one fold. The subset's ids are dealt into K folds by the role ``crossfit``; each net
is trained with the scoring run's recipe on the other folds. Seals ``ids.npy`` int64 ``[n]`` (the
fold and all unscored samples, ascending) and ``dynamics.npy`` float32 ``[n, moments, 3]``, see
:mod:`core.training.dynamics`. :func:`read` joins the folds: a scored sample has the numbers of the
net that did not train on it, an unscored one the mean over all nets.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from core.data.bank import targets_digest
from core.plan.tasks import Task
from core.rng import generator
from core.span import moments
from core.stages.base import Context, Entry, Ids, array_digest, load, plain
from core.stages.train_task import by_train, save_net, train_epochs
from core.store import Seal
from core.training.dynamics import NUMBERS, Dynamics
from core.training.recorder import Recorded, Recorder

ROLE = "crossfit"
_NAME = "dynamics"


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the numbers of one fold's net."""
    trained, watched = _parts(task, ctx)
    parts = ctx.net_parts(task, ROLE, trained, plain(ctx.spec(task).train))
    everyone = np.arange(len(ctx.source.train), dtype=np.int64)
    more = {
        "fold": task.net,
        "watched": array_digest(watched),
        "moments": list(_moments(task, ctx, len(trained))),
        "labels": targets_digest(ctx.source.train, everyone) if _labelled(ctx) else None,
    }
    return [Entry("crossfit", {**parts, **more})]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Train, watch, seal."""
    trained_ids, watched = _parts(task, ctx)
    device = ctx.compute.device
    made = Dynamics(len(watched), _moments(task, ctx, len(trained_ids)), _labelled(ctx), device)
    recorder = Recorder(
        watched, len(ctx.dataset.train), {_NAME: Recorded(made, "eval_pass")}, device
    )
    training = by_train(task, ctx, missing[0].key, ROLE, trained_ids)
    net, trained, meter = training.run(recorder)
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "ids.npy", watched)
        np.save(out.path / "dynamics.npy", recorder.finalize()[_NAME])
        curve = json.dumps(trained.history)
        (out.path / "curve.json").write_text(curve, encoding="utf-8")
        out.parts.update(missing[0].parts)
        out.cost.update(training.cost(trained, meter))
        out.meta.update(training.meta(trained))
        out.meta["weights_sha256"] = save_net(out.path, net, keep=False)
    training.forget()


def read(task: Task, ctx: Context) -> NDArray[np.float32]:
    """Features ``[N, F]`` of all samples from the folds a task needs."""
    seals = _seals(task, ctx)
    parts = [(load(s.path / "ids.npy"), load(s.path / "dynamics.npy")) for s in seals]
    return joined(parts, len(ctx.source.train))


def keys(task: Task, ctx: Context) -> list[str]:
    """Keys of the folds a task needs."""
    return [seal.key for seal in _seals(task, ctx)]


def joined(parts: list[tuple[Ids, NDArray[np.float32]]], total: int) -> NDArray[np.float32]:
    """Features float32 ``[N, 3 (moments + 2)]`` of ``total`` samples, each from the nets that did
    not train on it, from ids ``[n]`` and numbers ``[n, moments, 3]`` of every net: the numbers of
    all moments, their mean and their standard deviation over the moments."""
    columns = NUMBERS * (parts[0][1].shape[1] + 2)
    found = np.zeros((total, columns), np.float32)
    count = np.zeros(total, np.int64)
    for ids, table in parts:
        over_time = [table.reshape(len(table), -1), table.mean(axis=1), table.std(axis=1)]
        found[ids] += np.concatenate(over_time, axis=1)
        count[ids] += 1
    if not count.all():
        raise ValueError(f"{int((count == 0).sum())} samples were watched by no net")
    found /= count[:, None].astype(np.float32)
    return found


def fold_of(m: int, folds: int, seed: int) -> Ids:
    """The fold of each of ``m`` scored samples, int64 ``[m]``; sizes differ by one at most."""
    return generator(seed, ROLE, "fold").permutation(m).astype(np.int64) % folds


def _parts(task: Task, ctx: Context) -> tuple[Ids, Ids]:
    """Ids the fold's net is trained on, and all others."""
    ids = ctx.subset_ids(task)
    inside = fold_of(len(ids), ctx.spec(task).score.cross_fit, task.seed) == task.net
    trained = ids[~inside]
    return trained, np.setdiff1d(np.arange(len(ctx.dataset.train), dtype=np.int64), trained)


def _moments(task: Task, ctx: Context, count: int) -> tuple[int, ...]:
    return moments(train_epochs(task, ctx, count))


def _labelled(ctx: Context) -> bool:
    return int(ctx.source.train.targets.min()) >= 0


def _seals(task: Task, ctx: Context) -> list[Seal]:
    return [ctx.seal(need) for need in task.needs if ctx.graph[need].stage == "crossfit"]
