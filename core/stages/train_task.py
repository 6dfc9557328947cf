"""What every training stage does alike: net, curve, checkpoints, control, weights, ledger.

A training's checkpoints lie beside the store under its key, so whoever needs the same training next
goes on from them.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core import events as ev
from core import registry
from core.errors import Diverged
from core.mixing import epoch_samples
from core.models.base import Net
from core.models.build import build_net, construct
from core.paradigms.base import Paradigm
from core.plan.tasks import Task
from core.recipe import TrainSpec
from core.rng import derive
from core.spec import ModelSpec
from core.stages.base import Context, Ids, Meter, metered, plain
from core.store import Seal
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.curve import Curve
from core.training.feed import Feed
from core.training.flops import Flops, flops_per_sample
from core.training.loop import train
from core.training.mixed import mixed
from core.training.recorder import Recorder
from core.training.sampler import Sampler
from core.units import digest


@dataclass
class Training:
    """One training of one task."""

    task: Task
    ctx: Context
    key: str
    """Name of the folder of its checkpoints."""
    role: str
    ids: Ids
    recipe: TrainSpec
    steps: int
    sampler: Sampler | None = None
    seconds: float | None = None
    """How long it trains, where it is not the steps that count."""

    def run(self, recorder: Recorder | None) -> tuple[Net, Trained, Meter]:
        """Train (or go on from a checkpoint); the net, what it was, what it took."""
        ctx, task = self.ctx, self.task
        spec = ctx.spec(task)
        paradigm_module: Any = registry.load("paradigm", spec.paradigm.name)
        paradigm = paradigm_module.make(paradigm_module.Params(**spec.paradigm.params), self.recipe)
        warm_up(task, ctx, paradigm, self.recipe)
        net = build_net(spec.model, ctx.dataset.train, net_seed(task), self.role)
        checkpoints = CheckpointFolder(
            ctx.store.partial(self.key),
            spec.compute.checkpoint_every.value,
            warn=lambda text: ctx.emit(ev.Message("warning", text)),
        )
        with metered(ctx) as meter:
            trained = train(
                net, paradigm, ctx.feed("train"), self.ids, self.recipe,
                seed=net_seed(task), role=self.role, compute=ctx.compute, total_steps=self.steps,
                seconds=self.seconds,
                test=ctx.feed("test"), validation=_held_out(ctx, paradigm, recorder),
                recorder=recorder, curve=self.curve, checkpoints=checkpoints,
                control=self.voice, sampler=self.sampler,
            )  # fmt: skip
        meter.seconds = trained.seconds  # evaluation is apart, time before a resume is in
        return net, trained, meter

    @cached_property
    def curve(self) -> Curve:
        """The training's curve, handed to the journal."""
        return Curve(self.voice.points)

    @cached_property
    def voice(self) -> _Voice:
        """What the training says while it works."""
        return _Voice(self)

    def forget(self) -> None:
        """Remove the checkpoints: everything is sealed."""
        shutil.rmtree(self.ctx.store.partial(self.key), ignore_errors=True)

    def cost(self, trained: Trained, meter: Meter) -> dict[str, Any]:
        """Ledger row of the training."""
        per_sample = flops(self.task, self.ctx)
        total = trained.train_passes * per_sample.training
        total += trained.extra_passes * per_sample.forward
        return meter.cost(trained.train_passes + trained.extra_passes, total)

    def meta(self, trained: Trained) -> dict[str, Any]:
        """What the seal says of the training beside its cost."""
        return {
            "steps": trained.steps,
            "epochs": trained.epochs,
            "train_passes": trained.train_passes,
            "extra_passes": trained.extra_passes,
            "evaluation_seconds": trained.evaluation_seconds,
            "metrics": {f"test_{k}": v for k, v in trained.metrics.items()},
            "rate": rate_key(self.task, self.ctx),
        }


def by_train(task: Task, ctx: Context, key: str, role: str, ids: Ids) -> Training:
    """A training on ``ids`` by the recipe ``train``."""
    recipe, facts = ctx.spec(task).train, ctx.graph.facts[task.cells[0]]
    steps = recipe.epochs.steps(epoch_samples(recipe, len(ids), facts), recipe.batch)
    sampler = mixed(recipe, ids, ctx.dataset.train, facts, net_seed(task), role)
    return Training(task, ctx, key, role, ids, recipe, steps, sampler)


def train_epochs(task: Task, ctx: Context, count: int) -> int:
    """Whole epochs of a training on ``count`` ids by the recipe ``train``."""
    recipe, facts = ctx.spec(task).train, ctx.graph.facts[task.cells[0]]
    return recipe.epochs.epochs(epoch_samples(recipe, count, facts), recipe.batch)


def net_seed(task: Task) -> int:
    """Seed of a training: the task's, and one of its own for every further scoring net."""
    return derive(task.seed, "scoring", "subset", task.net) if task.net else task.seed


def _held_out(ctx: Context, paradigm: Paradigm, recorder: Recorder | None) -> Feed | None:
    """The validation samples, where there are some and somebody looks at them."""
    wanted = paradigm.validates or (recorder is not None and recorder.judged)
    return ctx.feed("validation") if wanted and ctx.dataset.validation is not None else None


_WARM: set[str] = set()


def warm_up(task: Task, ctx: Context, paradigm: Paradigm, recipe: TrainSpec) -> None:
    """One thrown-away step before the first training of a process, so that what a process pays only
    once (kernels, thread pools) is not charged to whichever method happens to come first."""
    key = rate_key(task, ctx)
    if key in _WARM:
        return
    _WARM.add(key)
    bank = ctx.dataset.train
    labelled = np.flatnonzero(np.asarray(bank.targets) >= 0)[: recipe.batch].astype(np.int64)
    net = build_net(ctx.spec(task).model, bank, 0, "scoring")
    with suppress(Diverged):  # that is for the training itself to notice and to tell
        train(
            net, paradigm, ctx.feed("train"), labelled, recipe,
            seed=0, role="scoring", compute=ctx.compute, total_steps=1,
        )  # fmt: skip


class _Voice(Control):
    """Hands the loop's words on as events."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.task = training.task.id
        self.emit = training.ctx.emit
        # The journal has points of an earlier attempt, which are void beyond where we go on.
        self.gaps = self.task in training.ctx.told_in_part
        self.void = self.gaps or self.task in training.ctx.started_before

    def should_stop(self) -> bool:
        return self.training.ctx.stop_requested()

    def points(
        self, series: str, steps: list[int], epochs: list[float], values: list[float]
    ) -> None:
        self._begin(0)
        self.emit(ev.Points(self.task, series, steps, epochs, values))

    def progress(self, step: int, total: int) -> None:
        self.emit(ev.Progress(self.task, step, total, "steps"))

    def checkpointed(self, step: int) -> None:
        self.emit(ev.Checkpoint(self.task, step))

    def resumed(self, step: int) -> None:
        if self.void and not self.gaps:
            self._begin(step)
        else:  # the checkpoint is another run's, so this journal lacks the curve up to it
            self._begin(0)
            emit_curve(self.emit, self.task, self.training.curve.history)

    def warn(self, text: str) -> None:
        self.emit(ev.Message("warning", text))

    def _begin(self, step: int) -> None:
        if self.void:
            self.void = False
            self.emit(ev.Resumed(self.task, step))


def emit_curve(emit: Any, task: str, history: dict[str, dict[str, list[Any]]]) -> None:
    """Give a whole curve to the journal."""
    for series, part in history.items():
        emit(ev.Points(task, series, part["step"], part["epoch"], part["value"]))


def replay_curve(ctx: Context, task: Task, seal: Seal) -> None:
    """Give a reused training's curve to a journal that does not have it."""
    if (seal.path / "curve.json").exists():
        history = json.loads((seal.path / "curve.json").read_text(encoding="utf-8"))
        emit_curve(ctx.emit, task.id, history)


def save_net(folder: Path, net: Net, keep: bool) -> str:
    """Save the weights (tensors only) and give their SHA-256; without ``keep`` only the latter."""
    state = {k: v.detach().cpu().contiguous() for k, v in net.state_dict().items()}
    if keep:  # through memory, because torch hides what the disk says in an error of its own
        buffer = io.BytesIO()
        torch.save(state, buffer)
        (folder / "weights.pt").write_bytes(buffer.getbuffer())
    return weights_digest(state)


def weights_digest(state: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names and bytes of all weights, independent of the file format."""
    sha = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        sha.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def load_net(task: Task, ctx: Context, seal: Seal) -> Net:
    """The sealed net on the device; the file holds tensors only and cannot run code."""
    net = construct(ctx.spec(task).model, ctx.dataset.train)
    net.load_state_dict(torch.load(seal.path / "weights.pt", map_location="cpu", weights_only=True))
    net.to(memory_format=torch.channels_last)
    return net.to(ctx.compute.device)


_FLOPS: dict[str, Flops] = {}


def flops(task: Task, ctx: Context, model: ModelSpec | None = None) -> Flops:
    """Operations of one pass of one sample, by the spec's model or the one given; counted once per
    model and input shape."""
    key = rate_key(task, ctx, model)
    if key not in _FLOPS:
        net, bank = model or ctx.spec(task).model, ctx.dataset.train
        with torch.random.fork_rng(devices=[]):
            _FLOPS[key] = flops_per_sample(lambda: construct(net, bank), bank.input_shape)
    return _FLOPS[key]


def rate_key(task: Task, ctx: Context, model: ModelSpec | None = None) -> str:
    """What the seconds of a pass depend on; equal keys can be used to predict each other."""
    spec, compute = ctx.spec(task), ctx.compute
    device = torch.cuda.get_device_name(compute.device) if compute.device.type == "cuda" else "cpu"
    return digest(
        [
            {**plain(model or spec.model), "weights": None},
            plain(spec.paradigm), ctx.dataset.train.input_shape, device,
            compute.precision, compute.threads, spec.train.batch, list(spec.train.augment),
        ]
    )[:16]  # fmt: skip
