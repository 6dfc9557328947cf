"""Find the nearest neighbours of every sample among all samples, once for all who ask.

Seals ``indices.npy`` int64 ``[N, k]`` and ``distances.npy`` float32 ``[N, k]``, ascending, between
embeddings of length one; a sample is not its own neighbour.
"""

from __future__ import annotations

import numpy as np

from core import events as ev
from core.needs import graph_neighbors
from core.neighbors import Neighbors, among_all
from core.plan.tasks import Task
from core.stages.base import Context, Entry, load, metered


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the neighbours in one embedding."""
    return [Entry("neighbors", {"embeddings": _embedded(task, ctx), "k": _k(task, ctx)})]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Search block by block and seal."""
    embeddings = np.load(ctx.seal(ctx.need(task, "embed")).path / "embeddings.npy", mmap_mode="r")

    def progress(done: int, total: int) -> None:
        ctx.check()
        ctx.emit(ev.Progress(task.id, done, total, "samples"))

    with metered(ctx) as meter:
        near = among_all(
            embeddings, _k(task, ctx), threads=ctx.compute.threads,
            device=str(ctx.compute.device), progress=progress,
            told=lambda text: ctx.emit(ev.Message("info", f"{task.id}: {text}")),
        )  # fmt: skip
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "indices.npy", near.indices)
        np.save(out.path / "distances.npy", near.distances)
        out.parts.update(missing[0].parts)
        out.cost.update(meter.cost())


def read(task: Task, ctx: Context) -> Neighbors:
    """The sealed neighbours that a task needs."""
    folder = ctx.seal(ctx.need(task, "neighbors")).path
    return Neighbors(load(folder / "distances.npy"), load(folder / "indices.npy"))


def _embedded(task: Task, ctx: Context) -> str:
    return ctx.seal(ctx.need(task, "embed")).key


def _k(task: Task, ctx: Context) -> int:
    wanted = graph_neighbors(ctx.spec(task))
    assert wanted is not None  # the plan has this task only where some plug-in asks for it
    return min(wanted, len(ctx.dataset.train) - 1)
