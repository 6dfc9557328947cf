"""Embed all N training samples: with the net that was trained on the subset, with another model,
or from a file.

Seals ``embeddings.npy``, float32 ``[N, d]``, from un-augmented inputs in eval mode.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core import embeddings as files
from core import events as ev
from core.models.base import Net
from core.models.build import build_net, identity
from core.plan.tasks import Task
from core.spec import ModelSpec
from core.stages import train_task
from core.stages.base import Context, Entry, metered
from core.training.evaluate import embed

ROLE = "analysis"


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the embeddings of one net or file. A file that does not fit is refused here,
    before anything is trained."""
    source, train = ctx.spec(task).embed, ctx.dataset.train
    if source.own_net:
        net = ctx.seal(ctx.need(task, "score"), "net-")
        return [Entry("embed", {"net": net.key, "inputs": train.fingerprint})]
    if source.file is not None:
        files.check_header(source.file, len(train))
        return [Entry("embed", {"file": files.fingerprint(source.file), "n": len(train)})]
    model = _model(task, ctx)
    parts = {
        "model": identity(model),
        "inputs": train.fingerprint,
        "classes": len(ctx.dataset.classes),
        "precision": ctx.compute.precision,
        "deterministic": ctx.compute.deterministic,
    }
    if model.weights is None:  # your own function may draw what it does not load
        parts["seed"] = task.seed
    return [Entry("embed", parts)]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Embed, or copy from the file, and seal."""
    file = ctx.spec(task).embed.file
    if file is not None:
        _copy(file, task, ctx, missing[0])
        return
    model = ctx.spec(task).embed.model
    if model is None:
        net = train_task.load_net(task, ctx, ctx.seal(ctx.need(task, "score"), "net-"))
    else:
        net = embedding_net(model, ctx, task.seed)
    count = len(ctx.dataset.train)
    with metered(ctx) as meter:
        found = embed(net, ctx.feed("train"))
    flops = train_task.flops(task, ctx, model).forward * count
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "embeddings.npy", found)
        out.parts.update(missing[0].parts)
        out.cost.update(meter.cost(count, flops))
        out.meta["rate"] = train_task.rate_key(task, ctx, model)


def embedding_net(model: ModelSpec, ctx: Context, seed: int) -> Net:
    """The other model on the device, with its weights."""
    return build_net(model, ctx.dataset.train, seed, ROLE).to(ctx.compute.device)


def _copy(file: Path, task: Task, ctx: Context, entry: Entry) -> None:
    text = f"{task.id}: read from {file}; what making them cost is not in the ledger"
    ctx.emit(ev.Message("info", text))
    with ctx.store.writing(entry.key) as out:
        with metered(ctx) as meter:
            files.write(file, len(ctx.dataset.train), out.path / "embeddings.npy")
        out.parts.update(entry.parts)
        out.cost.update(meter.cost())


def _model(task: Task, ctx: Context) -> ModelSpec:
    model = ctx.spec(task).embed.model
    assert model is not None  # else it is a file or the scoring net
    return model
