"""A scoring run against the bare training steps: ``python -m benchmarks.training``.

Both sides train the same layers on 32x32x3 inputs in batches of 128. ``core``: the loop as a run
uses it, with crop, flip, the dynamic uncertainty recorder, curve and a checkpoint after every
epoch. ``bare``: forward, backward, step on tensors normalised beforehand, and torch's own defaults
in place of the deterministic settings. Naive sides augment with PIL or record with ``.item()``,
sample by sample.

All sides take turns in one process, one epoch each, so that a busy machine slows all of them. The
first round is warm-up, and rounds in which other processes took a part of the cores do not count.
Seconds are medians over the rounds; ratios and differences are taken within a round, and medians of
these given.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import baselines
from benchmarks.conditions import QUIET, Others, machine, wait_for_quiet
from benchmarks.training_report import Figures, Seconds, report, rows
from core.data.bank import SampleBank
from core.models.base import Net
from core.models.build import build_net
from core.paradigms.base import StepOutput
from core.paradigms.supervised import Supervised
from core.recipe import TrainSpec
from core.scores import dynamic_uncertainty
from core.spec import ModelSpec, ScoreSpec
from core.training import devices
from core.training.augment import parse_augment
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control
from core.training.epoch import TrainBatch, epoch_order, training_batches
from core.training.feed import Feed
from core.training.loop import train
from core.training.recorder import Recorded, Recorder

RESULT = Path(__file__).parent / "results" / "training.md"
N, STEPS, BATCH, CLASSES, WIDTH, CROP = 50_000, 39, 128, 10, 32, 4


@dataclass(frozen=True)
class Inputs:
    """50,000 made-up pictures, the 4,992 of them that are trained on, and both for the bare side:
    ``ready`` float32 ``[m, C, H, W]`` normalised, channels-last; ``targets`` int64 ``[m]``."""

    bank: SampleBank
    ids: np.ndarray
    ready: Tensor
    targets: Tensor

    @classmethod
    def make(cls, compute: devices.Compute) -> Inputs:
        rng = np.random.default_rng(0)
        bank = SampleBank(
            inputs=rng.integers(0, 256, (N, 32, 32, 3), dtype=np.uint8),
            targets=rng.integers(0, CLASSES, N),
            classes=tuple(map(str, range(CLASSES))),
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            fingerprint="made up",
        )
        ids = np.sort(rng.permutation(N)[: STEPS * BATCH])
        feed = Feed(bank, compute)
        ready = torch.cat([feed.normalise(raw) for raw in feed.raw_batches(ids, BATCH)])
        return cls(bank, ids, ready.contiguous(memory_format=torch.channels_last),
                   torch.from_numpy(bank.targets[ids]))  # fmt: skip


class TakingTurns(Control):
    """Runs every other side once before each epoch of the loop, and times all of them.

    The loop's time is what lies between two of its polls: with the end of an epoch, its checkpoint
    and the preparation of the next. ``shares``: what other processes took of each round.
    """

    def __init__(self, sides: dict[str, Callable[[], None]]) -> None:
        self.seconds: Seconds = {name: [] for name in ("core", *sides)}
        self.shares: list[float] = []
        self._sides = sides
        self._polls = 0
        self._round = Others()
        self._since = 0.0

    def should_stop(self) -> bool:
        if self._polls % STEPS == 0:
            if self._polls:
                self.end_round()
            self._round.start()
            for name, run in self._sides.items():
                start = time.perf_counter()
                with torch_defaults():
                    run()
                self.seconds[name].append(time.perf_counter() - start)
            self._since = time.perf_counter()
        self._polls += 1
        return False

    def end_round(self) -> None:
        self.seconds["core"].append(time.perf_counter() - self._since)
        self._round.stop()
        self.shares.append(self._round.share)


def quiet_rounds(shares: list[float]) -> list[int]:
    """The rounds that count; where fewer than three were quiet, all but the warm-up."""
    quiet = [i for i, share in enumerate(shares) if i and share <= QUIET]
    return quiet if len(quiet) >= 3 else list(range(1, len(shares)))


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Without the deterministic settings that a run asks of torch."""
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)


def measure(model: str, rounds: int, inputs: Inputs, compute: devices.Compute) -> Figures:
    """One model: all sides in turns, then the parts alone."""
    score: Any = ScoreSpec.model_validate(
        {"name": "dynamic_uncertainty", **dynamic_uncertainty.PRESETS["legacy_se"]}
    )
    recipe = TrainSpec.model_validate(
        {"epochs": f"{rounds + 1}ep", "batch": BATCH, "optimizer": {"lr": 0.05},
         "schedule": {"name": "constant"}, "augment": [f"crop:{CROP}", "flip"]}
    )  # fmt: skip
    net = build_net(ModelSpec(name=model), inputs.bank, 0, "scoring")
    check_same(net, bare_net(model))
    control = TakingTurns(other_sides(model, inputs))

    def recorder() -> Recorder:
        du = dynamic_uncertainty.make(len(inputs.ids), CLASSES, rounds + 1, score, compute.device)
        return Recorder(inputs.ids, N, {"du": Recorded(du, "train_forward")}, compute.device)

    feed = Feed(inputs.bank, compute)
    with tempfile.TemporaryDirectory() as folder:
        train(
            net, Supervised(), feed, inputs.ids, recipe, seed=0, role="scoring", compute=compute,
            recorder=recorder(), control=control,
            checkpoints=CheckpointFolder(Path(folder), 600.0, epoch_every_s=0.0),
        )  # fmt: skip
    control.end_round()
    rounds_used = quiet_rounds(control.shares)
    ms = {
        name: [1e3 * seconds[i] / STEPS for i in rounds_used]
        for name, seconds in control.seconds.items()
    }
    most = max(control.shares[i] for i in rounds_used)
    noise = (
        f"{len(rounds_used)} of {rounds} rounds count, in which other processes took at most "
        f"{most:.1%} of the cores (median of all rounds {median(control.shares):.1%})"
    )
    alone = parts(net, feed, inputs, recipe, recorder(), rounds)
    return Figures(model, STEPS, ms, alone, noise)


def bare_net(model: str) -> torch.nn.Module:
    """The baseline's layers, channels-last."""
    bare: torch.nn.Module = (
        baselines.bare_convnet(3, WIDTH, CLASSES)
        if model == "convnet"
        else baselines.bare_linear(32 * 32 * 3, CLASSES)
    )
    bare.to(memory_format=torch.channels_last)
    return bare


def check_same(net: Net, bare: torch.nn.Module) -> None:
    """The baseline has the layers of the model: with its weights it gives its logits."""
    bare.load_state_dict(dict(zip(bare.state_dict(), net.state_dict().values(), strict=True)))
    x = torch.randn(8, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        torch.testing.assert_close(bare(x), net(x))


def other_sides(model: str, inputs: Inputs) -> dict[str, Callable[[], None]]:
    """One epoch of each side but the loop's own; each side has a net of its own."""
    pictures = inputs.bank.inputs[inputs.ids]
    transform = baselines.pil_augmentation(inputs.bank.mean, inputs.bank.std, CROP)
    ids = torch.from_numpy(inputs.ids)

    def side(pictures: Any, transform: Any, history: Any) -> Callable[[], None]:
        net = bare_net(model)
        given = pictures, transform, ids, history, inputs.targets, BATCH
        optimizer = baselines.bare_sgd(net)
        return lambda: baselines.naive_epoch(net, optimizer, *given)

    net = bare_net(model)
    optimizer = baselines.bare_sgd(net)
    return {
        "bare": lambda: baselines.bare_epoch(net, optimizer, inputs.ready, inputs.targets, BATCH),
        "pil": side(pictures, transform, None),
        "item": side(inputs.ready, None, {}),
        "both": side(pictures, transform, {}),
    }


def parts(
    net: Net, feed: Feed, inputs: Inputs, recipe: TrainSpec, recorder: Recorder, rounds: int
) -> dict[str, float]:
    """Milliseconds a step of what the loop adds, each alone, the naive versions beside it.

    Loader: order of the epoch, random numbers, gather, crop, flip, normalise. Recorder: of every
    step and the end of the epoch, given logits.
    """
    augment = parse_augment(recipe.augment, feed.input_shape, feed.device)
    transform = baselines.pil_augmentation(inputs.bank.mean, inputs.bank.std, CROP)
    logits = torch.randn(BATCH, CLASSES)
    out = StepOutput(logits.sum(), logits)
    history: dict[int, list[float]] = {}
    seconds: Seconds = {}

    def batches(epoch: int) -> list[TrainBatch]:
        order = epoch_order(inputs.ids, N, 0, "scoring", epoch)
        return list(
            training_batches(feed, order, BATCH, augment, seed=0, role="scoring", epoch=epoch)
        )

    def record(epoch: int, shown: list[TrainBatch]) -> None:
        for batch in shown:
            recorder.observe_step(epoch, net, feed, batch, out)
        recorder.end_epoch(epoch, net, feed)

    def timed(name: str, run: Callable[..., Any], *given: Any) -> Any:
        start = time.perf_counter()
        result = run(*given)
        seconds.setdefault(name, []).append(time.perf_counter() - start)
        return result

    def load_naively(shown: list[TrainBatch]) -> None:
        for batch in shown:
            baselines.naive_loading(batch.raw.numpy(), transform)

    def record_naively(shown: list[TrainBatch]) -> None:
        for batch in shown:
            baselines.naive_recording(history, batch.ids, logits, batch.y)

    shares = []
    for epoch in range(rounds + 1):
        with Others() as others:
            shown = timed("loader", batches, epoch)
            timed("recorder", record, epoch, shown)
            timed("naive loader", load_naively, shown)
            timed("naive recorder", record_naively, shown)
        shares.append(others.share)
    used = quiet_rounds(shares)
    return {n: 1e3 * median(values[i] for i in used) / STEPS for n, values in seconds.items()}


def main() -> None:
    """Measure, print, write down; exit 1 when a limit is broken or a naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=11, help="at least 11, for the score's window"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patience", type=float, default=300, help="seconds to wait for quiet")
    options = parser.parse_args()
    compute = devices.Compute(torch.device("cpu"), "fp32", options.threads, True)
    devices.apply(compute)
    torch.manual_seed(0)
    inputs = Inputs.make(compute)
    wait_for_quiet(options.patience)
    linear = measure("linear", 2 * options.rounds, inputs, compute)
    wait_for_quiet(options.patience)
    convnet = measure("convnet", options.rounds, inputs, compute)
    setting = (
        f"`python -m benchmarks.training`: 32x32x3, batch {BATCH}, fp32, channels-last, {STEPS} "
        f"steps a round, after one round of warm-up; {STEPS * BATCH:,} of {N:,} samples. "
        f"{machine('torch', threads=options.threads)}."
    )
    table = report(convnet, linear, setting)
    print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(table)
    sys.exit(not all(row.as_it_should for row in rows(convnet, linear)))


if __name__ == "__main__":
    main()
