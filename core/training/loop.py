"""The one hot loop: a net, a paradigm, a feed and a recipe in, a trained net and its ledger out.

Nothing in a step waits for the device. A training that continues from any of its checkpoints ends
bit-identical to an undisturbed one (same machine, versions and thread count): all random numbers
come from (seed, role, stream, epoch or step), and every accumulator is part of the checkpoint.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import Stopped, UserError
from core.models.base import Net
from core.models.build import draws_random
from core.paradigms.base import Paradigm, Start
from core.recipe import TrainSpec
from core.rng import derive
from core.training.augment import parse_augment
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.course import Course, TimedCourse
from core.training.curve import Curve
from core.training.devices import Compute, is_out_of_memory, out_of_memory
from core.training.epoch import TrainBatch, epoch_order, training_batches
from core.training.feed import Feed
from core.training.meter import Meter, Stopwatch
from core.training.optimizer import make_optimizer
from core.training.recorder import Recorder
from core.training.sampler import Sampler
from core.training.schedule import learning_rate
from core.units import sample_passes

PROGRESS_EVERY = 0.25
"""Seconds between two progress reports."""


def train(
    net: Net,
    paradigm: Paradigm,
    feed: Feed,
    ids: NDArray[np.int64],
    recipe: TrainSpec,
    *,
    seed: int,
    role: str,
    compute: Compute,
    total_steps: int | None = None,
    seconds: float | None = None,
    test: Feed | None = None,
    validation: Feed | None = None,
    recorder: Recorder | None = None,
    curve: Curve | None = None,
    checkpoints: CheckpointFolder | None = None,
    control: Control | None = None,
    sampler: Sampler | None = None,
) -> Trained:
    """Train ``net`` in place on the samples ``ids`` (int64 ``[m]``) of ``feed``.

    ``total_steps``: None takes ``recipe.epochs``. With ``seconds`` the training ends when it has
    taken as long, evaluation not counted, and ``total_steps`` is only how many steps are expected:
    the result then depends on the machine. With a ``sampler``, ``ids`` are all samples and
    it says which of them an epoch shows. ``test`` is evaluated as the recipe says and at
    the last step, ``validation`` after every epoch; where the ``recorder`` chooses by it, its time
    and passes are the training's, otherwise they are evaluation. With
    ``checkpoints`` the training continues from the latest one. Raises Stopped when ``control`` asks
    for it, Diverged within 50 steps of a loss that is not finite and always before a checkpoint is
    written, OutOfMemory with a batch size to try.
    """
    if not len(ids):
        raise UserError("there are no samples to train on")
    total = total_steps or recipe.epochs.steps(len(ids), recipe.batch)
    try:
        run = _Training(
            net, paradigm, feed, ids, recipe, seed, role, compute, total, seconds,
            test, validation, recorder, checkpoints, curve or Curve(), control or Control(),
            sampler,
        )  # fmt: skip
        run.resume()
        while not run.over:
            run.train_epoch()
        return run.result()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise out_of_memory(compute.device, recipe.batch) from error
        raise


@dataclass
class _Training:
    """One training; ``step`` counts finished optimiser steps."""

    net: Net
    paradigm: Paradigm
    feed: Feed
    ids: NDArray[np.int64]
    recipe: TrainSpec
    seed: int
    role: str
    compute: Compute
    total: int
    seconds: float | None
    test: Feed | None
    validation: Feed | None
    recorder: Recorder | None
    checkpoints: CheckpointFolder | None
    curve: Curve
    control: Control
    sampler: Sampler | None

    def __post_init__(self) -> None:
        self.count = self.sampler.count if self.sampler else len(self.ids)
        count, batch, device = self.count, self.recipe.batch, self.compute.device
        self.net.to(device).train()
        self.optimizer = make_optimizer(self.net, self.recipe.optimizer)
        self.augment = parse_augment(self.recipe.augment, self.feed.input_shape, device)
        self.reseeds = draws_random(self.net)
        self.meter = Meter(self.curve, count, batch, self.total, device)
        every = self.recipe.evaluate
        self.evaluate_every = None if every == "end" else every.steps(count, batch)
        self.step, self.over = 0, False
        self.watch = Stopwatch(device)
        self.course = self._course()
        self.metrics: dict[str, float] = {}
        self.predictions: NDArray[np.int32] | None = None
        self.last_report = -math.inf
        warn = self.control.warn
        self.paradigm.begin(Start(self.net, self.feed, self.seed, self.role, self.total, warn))

    def _course(self) -> Course:
        if self.seconds is None:
            return Course(self.total)
        return TimedCourse(self.total, self.seconds, self.watch)

    def train_epoch(self) -> None:
        """The rest of the current epoch, or up to the last step if that comes first."""
        epoch, done = divmod(self.step, self.meter.per_epoch)
        if self.sampler is not None:
            order = self.sampler.order(epoch, self.course.share(self.step))
        else:
            order = epoch_order(self.ids, len(self.feed), self.seed, self.role, epoch)
        batches = training_batches(
            self.feed, order, self.recipe.batch, self.augment,
            seed=self.seed, role=self.role, epoch=epoch, start=done * self.recipe.batch,
        )  # fmt: skip
        for batch in batches:
            if self.control.should_stop():
                self.save()
                raise Stopped(f"stopped at step {self.step} of {self._expected()}")
            self.train_step(epoch, batch)
            self.after_step(epoch)
            if self.over:
                break

    def _expected(self) -> str:
        return str(self.total) if self.seconds is None else f"about {self.total}"

    def train_step(self, epoch: int, batch: TrainBatch) -> None:
        """Forward, record, backward, update."""
        peak = self.recipe.optimizer.lr
        rate = learning_rate(self.recipe.schedule, peak, self.course.place(self.step), self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.reseeds:
            torch.manual_seed(derive(self.seed, self.role, "init", 1 + self.step))
        self.optimizer.zero_grad()
        with self.compute.autocast():
            out = self.paradigm.step(self.net, batch.x, batch.y)
        if self.recorder is not None:
            self.recorder.observe_step(epoch, self.net, self.feed, batch, out)
        loss = out.loss
        if self.sampler is not None:
            at = self.step % self.meter.per_epoch * self.recipe.batch
            loss = self.sampler.loss(self.paradigm, loss, out.logits, batch.y, batch.ids, at)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.paradigm.after_step(self.net)
        self.meter.add(out.loss.detach(), out.logits.detach(), batch.y)
        self.step += 1

    def after_step(self, epoch: int) -> None:
        """Points, the end of the epoch, evaluation, report, checkpoint: in this order, so that a
        checkpoint holds all that belongs to its step."""
        last = self.over = self.course.over(self.step)
        whole = self.step % self.meter.per_epoch == 0
        self.meter.after_step(self.step, self.net, last)
        if whole:
            accuracy = self.validate()
            if self.recorder is not None:
                self.recorder.end_epoch(epoch, self.net, self.feed, accuracy)
        due = self.evaluate_every is not None and self.step % self.evaluate_every == 0
        if self.test is not None and (last or due):
            self.metrics, self.predictions = self.evaluate(self.test, "test")
        if self.test is not None and last:
            self.conclude(self.test)
        now = time.monotonic()
        if last or now - self.last_report >= PROGRESS_EVERY:
            self.last_report = now
            self.control.progress(round(self.course.share(self.step) * self.total), self.total)
            self.curve.tick()
        if not last and self.checkpoints is not None and self.checkpoints.due(in_epoch=not whole):
            self.save()

    def validate(self) -> float | None:
        """Evaluate the validation samples, if any; the metric that chooses, where one does."""
        if self.validation is None:
            return None
        metrics, _ = self.evaluate(self.validation, "validation", charged=self.chooses)
        return metrics[self.paradigm.judged_by] if self.chooses else None

    @property
    def chooses(self) -> bool:
        """Whether the recorder chooses by validation."""
        return self.recorder is not None and self.recorder.judged

    def evaluate(
        self, feed: Feed, part: str, *, charged: bool = False
    ) -> tuple[dict[str, float], NDArray[np.int32]]:
        """Metrics on a part of the data that is not trained on, outside the training clock unless
        ``charged``."""
        self.watch.lap()
        metrics, predictions = self.paradigm.evaluate(self.net, feed)
        for name, value in metrics.items():
            self.meter.point(f"{part}/{name}", self.step, value)
        self.watch.lap(evaluation=not charged)
        return metrics, predictions

    def conclude(self, test: Feed) -> None:
        """What is measured once, at the end, outside the training clock as well."""
        further = self.paradigm.conclude(self.net, test)
        for name, value in further.items():
            self.meter.point(f"test/{name}", self.step, value)
        self.metrics = {**self.metrics, **further}
        self.watch.lap(evaluation=True)

    def save(self) -> None:
        """Write a checkpoint; everything up to its step is emitted and known to be sound before."""
        if self.checkpoints is None:
            return
        self.meter.check_health(self.step, self.net)
        self.curve.flush()
        self.watch.lap()
        self.checkpoints.save(
            {
                "step": self.step,
                "threads": torch.get_num_threads(),
                "net": self.net.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "paradigm": self.paradigm.state_dict(),
                "sums": self.meter.sums,
                "recorder": self.recorder.state_dict() if self.recorder else None,
                "sampler": self.sampler.state_dict() if self.sampler else None,
                "curve": self.curve.state_dict(),
                "seconds": [self.watch.training, self.watch.evaluation],
            }
        )
        self.control.checkpointed(self.step)

    def resume(self) -> None:
        """Continue from the latest checkpoint, if there is one."""
        state: dict[str, Any] | None = self.checkpoints.latest() if self.checkpoints else None
        if state is None:
            return
        if state["threads"] != torch.get_num_threads():
            # Another count sums in another order: the result would differ in the last bits.
            self.control.warn(f"continuing with {state['threads']} threads, as it was begun")
            torch.set_num_threads(state["threads"])
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.paradigm.load_state_dict(state["paradigm"])
        self.meter.sums.copy_(state["sums"])
        if self.recorder is not None:
            self.recorder.load_state_dict(state["recorder"])
        if self.sampler is not None:
            self.sampler.load_state_dict(state["sampler"])
        self.curve.load_state_dict(state["curve"])
        self.watch.training, self.watch.evaluation = state["seconds"]
        self.control.resumed(self.step)

    def result(self) -> Trained:
        """The ledger of the finished training."""
        self.paradigm.finish(self.net)
        self.watch.lap()
        self.curve.flush()
        samples = sample_passes(self.step, self.count, self.recipe.batch)
        judged = 0
        if self.validation is not None and self.chooses:
            judged = self.step // self.meter.per_epoch * len(self.validation)
        extra = self.recorder.extra_passes if self.recorder else 0
        return Trained(
            steps=self.step,
            epochs=self.step / self.meter.per_epoch,
            train_passes=samples * self.paradigm.passes + judged * self.paradigm.attack_passes,
            extra_passes=extra + judged,
            seconds=self.watch.training,
            evaluation_seconds=self.watch.evaluation,
            metrics=self.metrics,
            predictions=self.predictions,
            judged_by=self.paradigm.judged_by if self.chooses else None,
            history=self.curve.history,
        )
