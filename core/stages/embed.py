"""Embed all N training samples with the net that was trained on the subset.

Seals ``embeddings.npy``, float32 ``[N, d]``, from un-augmented inputs in eval mode.
"""

from __future__ import annotations

import numpy as np

from core.plan import Task
from core.stages import train_task
from core.stages.base import Context, Entry, metered
from core.training.evaluate import embed


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the embeddings of one net."""
    net = ctx.seal(ctx.need(task, "score"), "net-")
    return [Entry("embed", {"net": net.key, "inputs": ctx.dataset.train.fingerprint})]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Embed and seal."""
    seal = ctx.seal(ctx.need(task, "score"), "net-")
    net = train_task.load_net(task, ctx, seal)
    count = len(ctx.dataset.train)
    with metered(ctx) as meter:
        embeddings = embed(net, ctx.feed("train"))
    flops = train_task.flops(task, ctx).forward * count
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "embeddings.npy", embeddings)
        out.parts.update(missing[0].parts)
        out.cost.update(meter.cost(count, flops))
        out.meta["rate"] = train_task.rate_key(task, ctx)
