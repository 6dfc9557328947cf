"""Train on the subset and score it: one training, all scores that were asked for.

Seals ``net-<key>`` (weights, curve; recipe, subset, seed) and one ``score-<key>`` per score
(``values.npy`` float32 ``[m]`` in the order of the sorted ids, raw direction). Observing never
changes training, so a score asked for later repeats the training and seals only itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import events as ev
from core import registry
from core.data.bank import SampleBank, targets_digest
from core.errors import UserError
from core.models.base import Net
from core.plan.digests import wanted_scores
from core.plan.tasks import Task
from core.scores.base import TrainedScore
from core.span import MATCHED, chosen_by_validation, matched, reads_matched
from core.spec import ScoreSpec, Spec
from core.stages.base import Context, Entry, Ids, load, plain
from core.stages.train_task import by_train, save_net, train_epochs, weights_digest
from core.store import Seal
from core.training.control import Trained
from core.training.recorder import Recorded, Recorder
from core.training.stretch import Stretch
from core.training.truncation import Truncation
from core.units import digest

ROLE = "scoring"


def entries(task: Task, ctx: Context) -> list[Entry]:
    """The net, then the scores in the order they were asked for."""
    return scoring_entries(task, ctx, ctx.subset_ids(task), ROLE)


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Train, record, seal."""
    produce_scoring(task, ctx, missing, ctx.subset_ids(task), ROLE)


def scoring_entries(task: Task, ctx: Context, ids: Ids, role: str) -> list[Entry]:
    """Entries of a scoring run on ``ids``; the reference is one on all ids."""
    parts = ctx.net_parts(task, role, ids, plain(ctx.spec(task).train))
    net = Entry("net", {**parts, "net": task.net} if task.net else parts)
    return [net, *(_score_entry(ctx, net.key, section, task) for section in task.scores)]


def _score_entry(ctx: Context, net_key: str, section: Mapping[str, Any], task: Task) -> Entry:
    beside = ["preset", "nets", "cross_fit"]
    if section.get("until") == "matched" and not (task.stage == "score" and reads_matched(section)):
        beside.append("until")  # it changes nothing here, so what is known by another word will do
    settings = {k: v for k, v in section.items() if k not in beside}
    version = registry.describe("score", section["name"]).version
    parts = {"net": net_key, "score": version, "settings": settings}
    return Entry("score", {**parts, **ended_by(ctx.dataset.validation, [settings])})


def ended_by(held_out: SampleBank | None, sections: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What decides where scores end, for a key: the validation samples, or the rule of the epochs
    that stand for a full run, where any score asks."""
    parts: dict[str, Any] = {}
    if held_out is not None and chosen_by_validation(sections):
        parts["validation"] = [held_out.fingerprint, targets_digest(held_out)]
    if any(reads_matched(section) for section in sections):
        parts["matched"] = MATCHED
    return parts


def score_seal(ctx: Context, task_id: str, spec: Spec, name: str) -> Seal:
    """The sealed values of one score of a finished scoring run or reference, recorded as ``spec``
    says: a run shared by several specs may have recorded it in several ways."""
    net = next(k for k in ctx.keys[task_id] if k.startswith("net-"))
    section = next(s for s in wanted_scores(spec) if s["name"] == name)
    return ctx.store.require(_score_entry(ctx, net, section, ctx.graph[task_id]).key)


def oriented(seal: Seal, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of the score that ``seal`` holds, turned so that higher means keep."""
    return values if seal.meta["direction"] == "high" else -values


def produce_scoring(task: Task, ctx: Context, missing: list[Entry], ids: Ids, role: str) -> None:
    """Train on ``ids`` and seal the missing entries."""
    everything = [entry.key for entry in scoring_entries(task, ctx, ids, role)]
    net_key = everything[0]
    # A checkpoint holds the recorder's state, so it only fits a run that records the same scores.
    name = f"{net_key}-{digest(everything)[:8]}"
    training = by_train(task, ctx, name, role, ids)
    by_key = {_score_entry(ctx, net_key, s, task).key: s for s in task.scores}
    epochs = train_epochs(task, ctx, len(ids))
    recorded = {key: watching(s, ctx, len(ids), epochs, len(ids)) for key, s in by_key.items()}
    recorder = Recorder(ids, len(ctx.dataset.train), recorded, ctx.compute.device)
    net, trained, meter = training.run(recorder)
    values = recorder.finalize()
    cost, meta = training.cost(trained, meter), training.meta(trained)
    for entry in missing:
        with ctx.store.writing(entry.key) as out:
            out.parts.update(entry.parts)
            out.cost.update(cost)
            out.meta.update(meta)
            if entry.stage == "net":
                out.meta["weights_sha256"] = save_net(out.path, net, keep=True)
                curve = json.dumps(trained.history)
                (out.path / "curve.json").write_text(curve, encoding="utf-8")
            else:
                out.meta["name"] = by_key[entry.key]["name"]
                out.meta["direction"] = recorded[entry.key].score.direction
                out.meta["until"] = _chosen(recorded[entry.key], epochs, trained)
                np.save(out.path / "values.npy", values[entry.key])
                np.save(out.path / "ids.npy", ids)
    training.forget()
    if net_key not in [entry.key for entry in missing]:
        _compare_weights(ctx, net_key, net)


def _chosen(recorded: Recorded, epochs: int, trained: Trained) -> dict[str, Any] | None:
    """Where validation ended the score: epoch, counted from 1, of how many; accuracy, and which."""
    until = recorded.until
    if until is None or until.epoch is None:
        return None
    return {"epoch": until.epoch + 1, "of": epochs, "accuracy": until.best, "by": trained.judged_by}


def watching(
    section: Mapping[str, Any], ctx: Context, count: int, epochs: int, trained: int
) -> Recorded:
    """What watches ``count`` samples, for one score section, over ``epochs`` of a training on
    ``trained`` samples."""
    settings = ScoreSpec.model_validate(section)
    module: Any = registry.load("score", settings.name)
    classes, device = len(ctx.dataset.classes), ctx.compute.device

    def of(epochs: int) -> TrainedScore:
        made: TrainedScore = module.make(count, classes, epochs, settings, device)
        return made

    until = Truncation(of) if settings.until == "best_validation" else None
    stretch = range(epochs)
    if reads_matched(section):
        stretch = matched(epochs, trained, len(ctx.dataset.train))
    if len(stretch) == epochs:
        return Recorded(of(epochs), settings.record or "train_forward", until)
    try:
        made = Stretch(of(len(stretch)), stretch)
    except UserError as error:
        where = f"score.until: matched reads {len(stretch)} of {epochs} epochs: "
        raise UserError(where + error.what, "train longer or set score.until: end") from None
    return Recorded(made, settings.record or "train_forward", until)


def _compare_weights(ctx: Context, key: str, net: Net) -> None:
    """A training repeated for a later score should give the sealed weights again."""
    state = {k: v.detach().cpu() for k, v in net.state_dict().items()}
    if ctx.store.require(key).meta.get("weights_sha256") != weights_digest(state):
        text = f"{key}: repeating the scoring run for another score gave other weights"
        ctx.emit(ev.Message("warning", text))


def subset_scores(ctx: Context, task: Task, name: str) -> NDArray[np.float32]:
    """Measured values of a score on the subset, in the order of its ids: the mean over the nets."""
    spec = ctx.spec(task)
    seals = [score_seal(ctx, net, spec, name) for net in scoring_tasks(ctx, task)]
    values = [load(seal.path / "values.npy") for seal in seals]
    mean = np.mean(np.stack(values), axis=0, dtype=np.float64)
    return np.asarray(mean, dtype=np.float32)


def score_keys(ctx: Context, task: Task, name: str) -> list[str]:
    """Keys of a score's sealed values, one a net."""
    return [score_seal(ctx, net, ctx.spec(task), name).key for net in scoring_tasks(ctx, task)]


def ends(ctx: Context, task: Task, name: str) -> list[dict[str, Any]]:
    """Where validation ended a score of each net a task needs; empty where it does not choose."""
    seals = [score_seal(ctx, net, ctx.spec(task), name) for net in scoring_tasks(ctx, task)]
    return [seal.meta["until"] for seal in seals if seal.meta.get("until")]


def scoring_tasks(ctx: Context, task: Task) -> list[str]:
    """Ids of the scoring runs a task needs, one a net."""
    return [need for need in task.needs if ctx.graph[need].stage == "score"]
