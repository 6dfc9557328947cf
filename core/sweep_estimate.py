"""What a sweep will cost, before a second of it is spent: every shared task counted once, what is
already sealed not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from core.cost import Ledger, predicted_rows
from core.data.bank import Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.estimate import cannot_pay, seconds_per_pass
from core.models.build import construct
from core.pipeline import STAGES
from core.plan.build import build_graph
from core.plan.tasks import Graph, Task
from core.planning import SweepPlan, data_key, plan_cells
from core.runs import store_folder
from core.span import MOMENTS
from core.spec import Spec
from core.stages.base import Context
from core.stages.train_task import rate_key
from core.store import Store
from core.sweep_spec import SweepSpec
from core.training import devices
from core.uniting import Blocks
from core.work import facts_of

_LEDGERS = 200
"""Cells whose saving is predicted one by one; the others of a large sweep differ little."""

_RATE = ("data", "paradigm", "model", "train", "embed", "compute")
"""Sections of a spec that the seconds of a pass depend on."""


class _Look:
    """Datasets, rates and net sizes, each found once. The specs have to be kept as long."""

    def __init__(self, store: Store, device: str, threads: int | None) -> None:
        self.store, self.device, self.threads = store, device, threads
        self.sources: set[str] = set()
        self._data: dict[str, Dataset] = {}
        self._rates: dict[str, Mapping[str, float]] = {}
        self._nets: dict[str, tuple[int, int]] = {}
        # A hash of a section takes longer than all else, and cells share most of them.
        self._dataset_of = Blocks(self._dataset, ("data",))
        self._net_of = Blocks(self._net, ("data", "model"))
        self._rates_of: dict[tuple[int, ...], Mapping[str, float]] = {}

    def dataset(self, spec: Spec) -> Dataset:
        return self._dataset_of.of(spec)

    def _dataset(self, spec: Spec) -> Dataset:
        key = data_key(spec)
        if key not in self._data:
            self._data[key] = prepare_dataset(spec.data, default_cache_root(), None)
        return self._data[key]

    def context(self, graph: Graph, keys: Mapping[str, Sequence[str]]) -> Context:
        spec = graph.specs[0]
        changes: dict[str, Any] = {"device": self.device}
        if self.threads is not None:
            changes["threads"] = self.threads
        compute = devices.resolve(spec.compute.model_copy(update=changes))
        devices.apply(compute)
        known = {name: list(found) for name, found in keys.items()}
        return Context(
            graph, self.dataset(spec), self.store, compute, lambda _: None, lambda: False, known
        )

    def seconds(self, ctx: Context) -> Mapping[str, float]:
        """Seconds of a pass with ("train") and without ("forward") its backward half."""
        key = rate_key(ctx.graph.tasks[-1], ctx)
        if key not in self._rates:
            self._rates[key], source = seconds_per_pass(ctx)
            self.sources.add(source)
        return self._rates[key]

    def seconds_of(self, plan: SweepPlan, task: Task) -> Mapping[str, float]:
        """The same for a task of a plan."""
        spec = plan.graph.spec_of(task)
        key = tuple(id(getattr(spec, section)) for section in _RATE)
        if key not in self._rates_of:
            self._rates_of[key] = self.seconds(self.context(plan.piece(task), {}))
        return self._rates_of[key]

    def net(self, spec: Spec) -> tuple[int, int]:
        """Number of weights and of features."""
        return self._net_of.of(spec)

    def _net(self, spec: Spec) -> tuple[int, int]:
        key = f"{data_key(spec)}{spec.model.model_dump_json()}"
        if key not in self._nets:
            with torch.device("meta"):
                net = construct(spec.model, self.dataset(spec).train)
            weights = int(sum(p.numel() for p in net.state_dict().values()))
            self._nets[key] = (weights, net.embedding_dim)
        return self._nets[key]


def estimate_sweep(
    sweep: SweepSpec, runs: Path, device: str, threads: int | None
) -> dict[str, Any]:
    """The prediction, as ``sweep --dry-run --json`` prints it, but for the wall-clock time."""
    cells = sweep.cells()
    look = _Look(Store(store_folder(runs)), device, threads)
    of_each = {id(cell.spec.data): cell.spec for cell in cells}.values()
    facts = {data_key(spec): facts_of(look.dataset(spec)) for spec in of_each}
    plan = plan_cells(cells, facts)
    sealed = _sealed(plan, look)
    tasks, disk = [], 0
    for task, plain in zip(plan.graph.tasks, plan.to_dicts(), strict=True):
        tasks.append({**plain, "seconds": _seconds(plan, task, look), "sealed": task.id in sealed})
        disk += 0 if task.id in sealed else _bytes(task, plan.graph.spec_of(task), look)
    to_do = [task for task in tasks if not task["sealed"]]
    return {
        "schema": 1,
        "cells": [{"id": c.id, "settings": dict(c.settings)} for c in cells],
        "tasks": tasks,
        "tasks_alone": plan.asked_for(),
        "shared": len(plan.shared()),
        "sealed": len(sealed),
        "device_seconds": sum(task["seconds"] for task in to_do),
        "device_seconds_alone": sum(t["seconds"] * len(t["cells"]) for t in tasks),
        "longest_path_seconds": _longest(to_do),
        "sample_passes": sum(task["sample_passes"] for task in to_do),
        "disk_bytes": disk,
        "source": "probe" if "probe" in look.sources else "seals",
        "devices": _devices(device, cells[0].spec),
        "cannot_pay": _cannot_pay(plan, look),
    }


def _sealed(plan: SweepPlan, look: _Look) -> set[str]:
    """Tasks whose output is in the store, as far as that can be known: the inputs of a task that is
    still to be computed are not."""
    keys: dict[str, list[str]] = {}
    for task in plan.graph.tasks:
        if all(need in keys for need in task.needs):
            graph = plan.piece(task)
            ctx = look.context(graph, {n.id: keys[n.id] for n in graph.tasks if n.id != task.id})
            wanted = STAGES[task.stage].entries(ctx.graph[task.id], ctx)
            found = [entry.key for entry in wanted]
            if all((look.store.path(key) / "sealed.json").is_file() for key in found):
                keys[task.id] = found
    return set(keys)


def _seconds(plan: SweepPlan, task: Task, look: _Look) -> float:
    if not task.passes:
        return 0.0
    alone = Graph((task,), ())
    return float(predicted_rows(alone, look.seconds_of(plan, task))[task.id]["seconds"])


def _longest(tasks: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of the heaviest chain of tasks, which no number of slots shortens."""
    until: dict[str, float] = {}
    for task in tasks:
        before = max((until.get(need, 0.0) for need in task["needs"]), default=0.0)
        until[task["task"]] = before + task["seconds"]
    return max(until.values(), default=0.0)


def _bytes(task: Task, spec: Spec, look: _Look) -> int:
    """About how much the task's output takes in the store."""
    dataset = look.dataset(spec)
    total, tested = len(dataset.train), len(dataset.test)
    weights, features = look.net(spec)
    trial_keeps = task.trial.n_keep if task.trial else 0
    kept_weights = 4 * weights if spec.compute.keep_models == "all" else 0
    by_stage = {
        "subset": 8 * total,
        "score": 4 * weights + 12 * total * len(task.scores),
        "reference": 4 * weights + 12 * total * len(task.scores),
        "crossfit": 12 * MOMENTS * total,
        "embed": 4 * total * features,
        "extrapolate": 12 * total * len(spec.score.names),
        "prune": 8 * trial_keeps,
        "retrain": 4 * tested + kept_weights,
    }
    # A cell's folder holds the small files again, and a table of scores per seed.
    copies = {"extrapolate": 40 * total, "prune": 8 * trial_keeps, "retrain": 4 * tested}
    return by_stage.get(task.stage, 0) + copies.get(task.stage, 0) * len(task.cells)


def _devices(device: str, spec: Spec) -> list[str]:
    if device == "auto" and torch.cuda.is_available():
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [str(devices.resolve(spec.compute.model_copy(update={"device": device})).device)]


def _cannot_pay(plan: SweepPlan, look: _Look) -> list[dict[str, Any]]:
    """Sentences, each with the cells that it is true of."""
    found: dict[str, list[str]] = defaultdict(list)
    for cell, facts in list(zip(plan.cells, plan.graph.facts, strict=True))[:_LEDGERS]:
        ctx = look.context(build_graph([(cell.spec, facts)]), {})
        ledger = Ledger(ctx.graph, predicted_rows(ctx.graph, look.seconds(ctx)))
        full, _ = ledger.full_seconds()
        for text in cannot_pay(ctx, ledger.by_rate(full), ledger.break_even(full)):
            found[text].append(cell.id)
    return [{"what": text, "cells": cells} for text, cells in found.items()]
