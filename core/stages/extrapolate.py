"""Predict the scores of all unscored samples from the scored ones.

Seals float32 arrays ``[N, S]``: ``predicted.npy`` (raw; NaN for scored samples but those of the
held-out fold), ``std.npy``, ``scores.npy`` (what selection uses: measured, or the prediction mapped
to the subset's distribution), and ``fold.npy`` (ids of the held-out fold). Where cross-fitted nets
are read, ``crossfit.npy`` ``[f, S]`` holds the fold's predictions from those nets alone.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core import events as ev
from core import registry
from core.data.bank import targets_digest
from core.extrapolators.base import Features, Floats, Ids
from core.extrapolators.choose import Candidate, Choice, choose, judged
from core.extrapolators.mapping import match_distribution
from core.plan.tasks import Task
from core.stages import crossfit, neighbors, train_task
from core.stages.base import Context, Entry, metered
from core.stages.score import score_keys, subset_scores

_ROWS = 8192


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the predictions of all recorded scores."""
    spec = ctx.spec(task)
    parts: dict[str, Any] = {
        "form": 2,  # from 2 on std.npy holds that of the held-out fold too
        "extrapolator": registry.describe("extrapolator", spec.extrapolate.name).version,
        "params": spec.extrapolate.params,
        "subset": ctx.seal(ctx.need(task, "subset")).key,
        "embeddings": ctx.seal(ctx.need(task, "embed")).key,
        "scores": {n: score_keys(ctx, task, n) for n in _wanted(task, ctx)},
        "seed": task.seed,
    }
    combined = spec.extrapolate.params.get("methods") or ()
    if combined:  # named, so not imported by the file that combines them
        versions = [registry.describe("extrapolator", name).version for name in combined]
        parts["methods"] = versions
    if "labels" in _extrapolator(task, ctx).needs:
        everyone = np.arange(len(ctx.dataset.train), dtype=np.int64)
        parts["targets"] = targets_digest(ctx.source.train, everyone)
    if ctx.has_need(task, "neighbors"):
        parts["neighbors"] = ctx.seal(ctx.need(task, "neighbors")).key
    if ctx.has_need(task, "crossfit"):
        parts["crossfit"] = crossfit.keys(task, ctx)
    return [Entry("extrapolate", parts)]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Choose on a fold of the subset, predict, map, seal."""
    names, ids = _wanted(task, ctx), ctx.subset_ids(task)
    embeddings = np.load(ctx.seal(ctx.need(task, "embed")).path / "embeddings.npy", mmap_mode="r")
    measured = np.stack([subset_scores(ctx, task, n) for n in names], axis=1)
    extrapolator = _extrapolator(task, ctx)
    features = Features(
        np.asarray(embeddings),
        labels=np.asarray(ctx.source.train.targets) if "labels" in extrapolator.needs else None,
        neighbors=neighbors.read(task, ctx) if ctx.has_need(task, "neighbors") else None,
        dynamics=crossfit.read(task, ctx) if ctx.has_need(task, "crossfit") else None,
        predictions=_predictions(task, ctx, embeddings, extrapolator.needs),
        trained_on=ids if ctx.spec(task).embed.own_net else None,
        threads=ctx.compute.threads,
        device=str(ctx.compute.device),
        told=lambda text: ctx.emit(ev.Message("info", f"{task.id}: {text}")),
    )
    events: list[ev.Extrapolated] = []

    def note(candidate: Candidate) -> None:
        ctx.check()
        events.append(
            ev.Extrapolated(
                task.seed, names[0], ctx.spec(task).extrapolate.name,
                candidate.params, candidate.heldout, candidate.chosen,
            )
        )  # fmt: skip

    with metered(ctx) as meter:
        choice = choose(extrapolator, features, ids, measured, task.seed, note)
        unseen = _cross_fitted(extrapolator, choice, features, ids, measured, task.seed)
        scores = choice.prediction.values.copy()
        unscored = np.ones(len(scores), dtype=bool)
        unscored[ids] = False
        for column in range(len(names)):
            scores[unscored, column] = match_distribution(
                scores[unscored, column], measured[:, column]
            )
        scores[ids] = measured
    predicted = choice.prediction.values
    predicted[ids] = np.nan
    predicted[choice.heldout.ids] = choice.heldout.predictions
    choice.prediction.std[choice.heldout.ids] = choice.heldout.std
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "predicted.npy", predicted)
        np.save(out.path / "std.npy", choice.prediction.std)
        np.save(out.path / "scores.npy", scores)
        np.save(out.path / "fold.npy", choice.heldout.ids)
        if unseen is not None:
            np.save(out.path / "crossfit.npy", unseen)
        out.parts.update(missing[0].parts)
        out.cost.update(meter.cost())
        out.meta.update(
            {
                "scores": names, "chosen": choice.chosen, "heldout": choice.heldout.as_json(),
                "candidates": [e.to_dict() for e in events],
            }
        )  # fmt: skip


def _cross_fitted(
    extrapolator: Any, choice: Choice, x: Features, ids: Ids, measured: Floats, seed: int
) -> Floats | None:
    """Predictions ``[f, S]`` of the held-out fold from nets alone that did not train on it."""
    settings = extrapolator.candidates(len(ids))
    chosen = next(p for p in settings if asdict(p) == choice.chosen)
    found = extrapolator.cross_fitted(chosen)
    if found is None or found == (extrapolator, chosen):
        return None if found is None else choice.heldout.predictions
    judge, params = found
    return judged(judge, x, ids, measured, seed, params)


def _predictions(
    task: Task, ctx: Context, embeddings: NDArray[np.float32], needs: frozenset[str]
) -> NDArray[np.float32] | None:
    """Class probabilities ``[N, C]`` of the subset net, from its head alone: no further passes.
    None where the embeddings are another model's."""
    if "predictions" not in needs or not ctx.spec(task).embed.own_net:
        return None
    net = train_task.load_net(task, ctx, ctx.seal(ctx.need(task, "score"), "net-"))
    found = np.empty((len(embeddings), net.head.out_features), np.float32)
    with torch.no_grad():
        for start in range(0, len(found), _ROWS):
            rows = torch.from_numpy(np.array(embeddings[start : start + _ROWS]))
            logits = net.head(rows.to(ctx.compute.device))
            found[start : start + _ROWS] = torch.softmax(logits.float(), 1).cpu().numpy()
    return found


def announce(task: Task, ctx: Context) -> None:
    """Say what every candidate reached; also after a reuse, so that the journal has it."""
    for plain in ctx.seal(task.id).meta["candidates"]:
        ctx.emit(ev.Extrapolated(**plain))


def _wanted(task: Task, ctx: Context) -> list[str]:
    """Names of the scores this spec extrapolates, the one that is pruned by first."""
    return list(ctx.spec(task).score.names)


def _extrapolator(task: Task, ctx: Context) -> Any:
    spec = ctx.spec(task)
    module: Any = registry.load("extrapolator", spec.extrapolate.name)
    return module.make(module.Params(**spec.extrapolate.params))
