"""What a run will cost, before a second of it is spent.

Sample passes are exact. Seconds per pass come from earlier seals of the same model, input, recipe
and device, else from a probe of a few seconds; both are said.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from heapq import nlargest
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from core import registry, words
from core.cost import Ledger, predicted_rows
from core.embeddings import check_header
from core.errors import Stopped
from core.files import read_json
from core.mixing import retraining_budget
from core.models.base import Net
from core.models.build import build_net, construct
from core.needs import step_passes
from core.pipeline import STAGES
from core.plan.trials import subset_size
from core.predicted import Predicted
from core.recipe import TrainSpec
from core.span import MOMENTS
from core.spec import ModelSpec
from core.stages.base import Context
from core.stages.embed import embedding_net
from core.stages.train_task import rate_key
from core.training.control import Control
from core.training.evaluate import embed
from core.training.feed import Feed
from core.training.loop import train
from core.units import sample_passes

PROBE_SECONDS = 3.0
_SEALED_KINDS = {"train": "retrain", "forward": "embed"}
"""The stages that show what a pass with and without its backward half takes."""
_LATEST_SEALS = 200
_KERNEL_SAMPLES = 2048


def estimate(ctx: Context) -> dict[str, Any]:
    """The prediction for the graph's only spec, as ``run --dry-run --json`` prints it."""
    rates, source = seconds_per_pass(ctx)
    sealed = sealed_tasks(ctx)
    rows = predicted_rows(ctx.graph, rates)
    ledger = Ledger(ctx.graph, rows)
    full, _ = ledger.full_seconds()
    by_rate = ledger.by_rate(full)
    tasks = [
        {**task.to_dict(), "seconds": rows[task.id]["seconds"], "reused": task.id in sealed}
        for task in ctx.graph.tasks
    ]
    to_do = [task for task in tasks if not task["reused"]]
    return {
        "tasks": tasks,
        "by_rate": by_rate,
        "break_even_rate": ledger.break_even(full),
        "full_seconds": full,
        "seconds": sum(t["seconds"] for t in to_do),
        "sample_passes": sum(t["sample_passes"] for t in to_do),
        "disk_bytes": disk_bytes(ctx),
        "budget": (budget := retraining_budget(ctx.graph.specs[0])),
        "passes_exact": budget != "seconds",
        "source": source,
        "device": str(ctx.compute.device),
        "cannot_pay": []
        if budget != "epochs"
        else cannot_pay(ctx, by_rate, ledger.break_even(full)),
    }


def forecast(ctx: Context, begun: Collection[str]) -> Predicted | None:
    """The prediction for all tasks but those ``begun``, None while no pass has been measured.

    Reads at most some hundred small files and probes nothing: a worker can ask on its way.
    """
    rates = _from_seals(ctx)
    if rates is None:
        return None
    rows = predicted_rows(ctx.graph, rates)
    ledger = Ledger(ctx.graph, rows)
    full, _ = ledger.full_seconds()
    return Predicted(
        "own" if begun else "seals", str(ctx.compute.device),
        {task: row["seconds"] for task, row in rows.items() if task not in begun},
        full, ledger.break_even(full),
    )  # fmt: skip


def cannot_pay(ctx: Context, by_rate: list[dict[str, Any]], break_even: float | None) -> list[str]:
    """Sentences about the retrainings' budget, and about the rates at which the loop costs more
    than full training."""
    spec, facts = ctx.graph.specs[0], ctx.graph.facts[0]
    share = subset_size(spec, facts) / facts.n_train
    if said := words.budget(retraining_budget(spec)):
        return [said]
    found = []
    for row in by_rate:
        if row["method"] != spec.extrapolate.name or row["saving"] is None or row["saving"] > 0:
            continue
        found.append(
            f"pruning {row['rate']:.0%} cannot pay: with a subset of {share:.0%} the loop takes "
            f"{1 - row['saving']:.2f} times full training (break-even at {break_even or 0:.0%})"
        )
    return found


def sealed_tasks(ctx: Context) -> set[str]:
    """Tasks whose output is already in the store, as far as that can be known: the inputs of a task
    that is still to be computed are not."""
    found: set[str] = set()
    for task in ctx.graph.tasks:
        if not all(need in found for need in task.needs):
            continue
        keys = [entry.key for entry in STAGES[task.stage].entries(task, ctx)]
        if all(ctx.store.get(key) is not None for key in keys):
            ctx.keys[task.id] = keys
            found.add(task.id)
    return found


def disk_bytes(ctx: Context) -> int:
    """About how much the run's new store entries and artifacts take."""
    spec, facts = ctx.graph.specs[0], ctx.graph.facts[0]
    with torch.device("meta"):
        net = construct(spec.model, ctx.dataset.train)
    weights = 4 * int(sum(p.numel() for p in net.state_dict().values()))
    scores = len(spec.score.names)
    per_seed = (
        4 * facts.n_train * _embedding_width(ctx, net.embedding_dim) + facts.n_train * scores * 40
    )
    folds = [t for t in ctx.graph.tasks if t.stage == "crossfit"]
    per_seed += 12 * MOMENTS * facts.n_train * len(folds) // len(spec.seeds)
    per_seed += weights * (2 if spec.reference == "full" else 1)
    retrainings = [t for t in ctx.graph.tasks if t.stage == "retrain"]
    total: int = per_seed * len(spec.seeds)
    for task in retrainings:
        assert task.trial is not None
        total += 16 * task.trial.n_keep + 8 * facts.n_test
        total += 2 * weights if spec.compute.keep_models == "all" else 0
    return int(total + 6 * weights)  # two checkpoints with optimiser state


def _embedding_width(ctx: Context, own: int) -> int:
    """d of the embeddings; ``own`` is the scoring net's."""
    source, train = ctx.graph.specs[0].embed, ctx.dataset.train
    if source.file is not None:
        return check_header(source.file, len(train))
    if source.model is None:
        return own
    with torch.device("meta"):
        return int(construct(source.model, train).embedding_dim)


def seconds_per_pass(ctx: Context) -> tuple[Mapping[str, float], str]:
    """Seconds of a pass with ("train") and without ("forward") its backward half; how known."""
    known = _from_seals(ctx)
    if known is not None:
        return known, "seals"
    return _probe(ctx), "probe"


def _from_seals(ctx: Context) -> dict[str, float] | None:
    """Medians over the latest seals with the same rate key, None unless all kinds are there."""
    source = ctx.graph.specs[0].embed
    found = {kind: _rates(ctx, stage) for kind, stage in _SEALED_KINDS.items()}
    if not source.own_net:  # no seal shows a pass of the scoring net forward only
        found["forward"] = [seconds / 3 for seconds in found["train"]]
    if source.model is not None:
        found["embed"] = _rates(ctx, "embed", source.model)
    return {kind: median(values) for kind, values in found.items()} if all(found.values()) else None


def _rates(ctx: Context, stage: str, model: ModelSpec | None = None) -> list[float]:
    """Seconds per sample pass of the latest seals of a stage with the graph's rate key, or that of
    another model."""
    wanted, found = rate_key(ctx.graph.tasks[0], ctx, model), []
    files = ctx.store.root.glob(f"{stage}-*/sealed.json")
    latest = nlargest(_LATEST_SEALS, ((_changed(file), file) for file in files))
    for _, file in latest:
        sealed = read_json(file) or {}
        meta, cost = sealed.get("meta", {}), sealed.get("cost", {})
        if meta.get("rate") == wanted and cost.get("sample_passes"):
            found.append(cost["seconds"] / cost["sample_passes"])
    return found


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # thrown away meanwhile
        return 0.0


class _Until(Control):
    """Stops a probe after its time."""

    def __init__(self) -> None:
        self.end = time.perf_counter() + PROBE_SECONDS
        self.steps = 0

    def should_stop(self) -> bool:
        self.steps += 1
        return time.perf_counter() > self.end


def _probe(ctx: Context) -> dict[str, float]:
    """Train for a few seconds and embed a few samples; both are thrown away."""
    spec, count = ctx.graph.specs[0], len(ctx.dataset.train)
    feed = ctx.feed("train")
    ids = np.flatnonzero(np.asarray(ctx.dataset.train.targets) >= 0).astype(np.int64)
    net = build_net(spec.model, ctx.dataset.train, 0, "scoring")
    _train_for_a_while(ctx, net, ids, spec.train, warm_up=True)
    steps, seconds = _train_for_a_while(ctx, net, ids, spec.train, warm_up=False)
    passes = sample_passes(steps, len(ids), spec.train.batch) * step_passes(spec)
    some = np.arange(min(count, _KERNEL_SAMPLES), dtype=np.int64)
    rates = {"train": seconds / max(1, passes), "forward": _forward_seconds(net, feed, some)}
    if spec.embed.model is not None:
        other = embedding_net(spec.embed.model, ctx, 0)
        rates["embed"] = _forward_seconds(other, feed, some)
    return rates


def _forward_seconds(net: Net, feed: Feed, ids: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    """Seconds a sample takes to be embedded, the second time."""
    embed(net, feed, ids)
    start = time.perf_counter()
    embed(net, feed, ids)
    return (time.perf_counter() - start) / len(ids)


def _train_for_a_while(
    ctx: Context, net: Any, ids: np.ndarray[Any, np.dtype[np.int64]], recipe: TrainSpec, *,
    warm_up: bool,
) -> tuple[int, float]:  # fmt: skip
    """Steps done and seconds they took."""
    spec, control = ctx.graph.specs[0], _Until()
    module: Any = registry.load("paradigm", spec.paradigm.name)
    paradigm = module.make(module.Params(**spec.paradigm.params), recipe)
    start = time.perf_counter()
    try:
        done = train(
            net, paradigm, ctx.feed("train"), ids, recipe, seed=0, role="scoring",
            compute=ctx.compute, total_steps=3 if warm_up else 10**6, control=control,
        )  # fmt: skip
        return done.steps, done.seconds
    except Stopped:
        return control.steps - 1, time.perf_counter() - start
