"""The baseline ``direct``: the subset net scores the samples it was not trained on.

The scoring run once more, bit for bit, watched on the other samples too: after each epoch whose
outputs a score reads they are shown to the net, in evaluation mode. Those passes are in the ledger,
and so is the training, once: ``direct`` is charged with this run instead of the scoring run. Seals
``scores.npy`` float32 ``[N, S]``, measured in the subset; elsewhere what the net gave, mapped to
the subset's distribution, because a net is surer of what it was trained on; ``raw.npy`` is not
mapped. With several scoring nets there is one such run of each, and their mean is mapped.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.data.bank import targets_digest
from core.extrapolators.mapping import match_distribution
from core.plan.tasks import Task
from core.stages.base import Context, Entry, Ids, load, plain
from core.stages.score import ROLE, ended_by, watching
from core.stages.train_task import by_train, train_epochs
from core.store import Seal
from core.training.recorder import Recorder, Recorders


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: all scores of all samples."""
    made_of = ctx.net_parts(task, ROLE, ctx.subset_ids(task), plain(ctx.spec(task).train))
    net = Entry("net", {**made_of, "net": task.net} if task.net else made_of)
    everyone = np.arange(len(ctx.dataset.train), dtype=np.int64)
    parts = {
        "net": net.key,
        "scores": [[registry.describe("score", s["name"]).version, dict(s)] for s in task.scores],
        "targets": targets_digest(ctx.dataset.train, everyone),
        **ended_by(ctx.dataset.validation, task.scores),
    }
    return [Entry("direct", parts)]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Train, watch, map, seal."""
    total = len(ctx.dataset.train)
    ids = ctx.subset_ids(task)
    unseen = np.setdiff1d(np.arange(total, dtype=np.int64), ids)
    training = by_train(task, ctx, missing[0].key, ROLE, ids)
    recorder = Recorders(
        {"subset": _recorder(task, ctx, ids, ids), "unseen": _recorder(task, ctx, unseen, ids)}
    )
    _, trained, meter = training.run(recorder)
    measured, found = (recorder.parts[n].finalize() for n in ("subset", "unseen"))
    raw = np.empty((total, len(task.scores)), np.float32)
    for column, section in enumerate(task.scores):
        name = section["name"]
        raw[ids, column], raw[unseen, column] = measured[name], found[name]
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "scores.npy", _mapped(raw, ids))
        np.save(out.path / "raw.npy", raw)
        out.parts.update(missing[0].parts)
        out.cost.update(training.cost(trained, meter))
        out.meta.update(training.meta(trained))
        out.meta["scores"] = [section["name"] for section in task.scores]
    training.forget()


def seals(task: Task, ctx: Context) -> list[Seal]:
    """What the task's needs of this stage have sealed, one a net."""
    return [ctx.seal(need) for need in task.needs if ctx.graph[need].stage == "direct"]


def read(task: Task, ctx: Context, name: str) -> NDArray[np.float32]:
    """A score of all samples ``[N]``, mapped; of several nets the mean."""
    found = seals(task, ctx)
    if len(found) == 1:
        one: NDArray[np.float32] = load(found[0].path / "scores.npy")[:, _column(found[0], name)]
        return one
    raw = [load(seal.path / "raw.npy")[:, _column(seal, name)] for seal in found]
    mean = np.mean(np.stack(raw, axis=1), axis=1, dtype=np.float64, keepdims=True)
    return _mapped(np.asarray(mean, dtype=np.float32), ctx.subset_ids(task))[:, 0]


def _column(seal: Seal, name: str) -> int:
    names: list[str] = seal.meta["scores"]
    return names.index(name)


def _mapped(raw: NDArray[np.float32], ids: Ids) -> NDArray[np.float32]:
    """``raw`` ``[N, S]``, outside the subset ``ids`` mapped to the subset's distribution."""
    scores = raw.copy()
    unseen = np.setdiff1d(np.arange(len(raw), dtype=np.int64), ids)
    for column in range(raw.shape[1]):
        scores[unseen, column] = match_distribution(raw[unseen, column], raw[ids, column])
    return scores


def _recorder(task: Task, ctx: Context, watched: Ids, ids: Ids) -> Recorder:
    """The subset is recorded as its scores say, other samples in passes of their own."""
    epochs = train_epochs(task, ctx, len(ids))
    recorded = {}
    for section in task.scores:
        made = watching(section, ctx, len(watched), epochs, len(ids))
        recorded[section["name"]] = made if watched is ids else replace(made, record="eval_pass")
    return Recorder(watched, len(ctx.dataset.train), recorded, ctx.compute.device)
