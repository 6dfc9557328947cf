"""A scoring run against the bare training steps: ``python -m benchmarks.training``.

Both sides train the same layers on 32x32x3 inputs in batches of 128. ``core``: the loop as a run
uses it, with crop, flip, the dynamic uncertainty recorder, curve and a checkpoint after every
epoch. ``bare``: forward, backward, step on tensors normalised beforehand, and torch's own defaults
in place of the deterministic settings. Naive sides augment with PIL or record with ``.item()``,
sample by sample.

All sides take turns in one process, one epoch each, so that a busy machine slows all of them. The
first round is warm-up. Seconds are medians over the rounds; ratios and differences are taken within
a round, and medians of these given.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import baselines
from benchmarks.conditions import QUIET, Others, machine, wait_for_quiet
from core.data.bank import SampleBank
from core.models.base import Net
from core.models.build import build_net
from core.paradigms.base import StepOutput
from core.paradigms.supervised import Supervised
from core.scores import dynamic_uncertainty
from core.spec import ModelSpec, ScoreSpec, TrainSpec
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
RATIO, BOTH_MS, RECORDER_MS = 1.10, 8.0, 0.40
"""The last is this benchmark's own: it makes one ``.item()`` a sample fail on a CPU too, where
they cost under 1 ms a batch (on a GPU each of them waits for the device)."""

Seconds = dict[str, list[float]]


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
    and the preparation of the next.
    """

    def __init__(self, others: dict[str, Callable[[], None]]) -> None:
        self.seconds: Seconds = {name: [] for name in ("core", *others)}
        self._others = others
        self._polls = 0
        self._since: float | None = None

    def should_stop(self) -> bool:
        if self._polls % STEPS == 0:
            self.end_turn()
            for name, run in self._others.items():
                start = time.perf_counter()
                with torch_defaults():
                    run()
                self.seconds[name].append(time.perf_counter() - start)
            self._since = time.perf_counter()
        self._polls += 1
        return False

    def end_turn(self) -> None:
        if self._since is not None:
            self.seconds["core"].append(time.perf_counter() - self._since)


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Without the deterministic settings that a run asks of torch."""
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)


@dataclass
class Figures:
    """One model's measurements: milliseconds a step per round, and of the parts alone."""

    model: str
    ms: Seconds
    parts: dict[str, float]
    others: float = field(default=0.0)

    def ratio(self, side: str) -> float:
        return float(np.median(np.divide(self.ms[side], self.ms["bare"])))

    def above(self, side: str) -> float:
        return float(np.median(np.subtract(self.ms[side], self.ms["bare"])))


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
    control.end_turn()
    ms = {n: [1e3 * s / STEPS for s in seconds[1:]] for n, seconds in control.seconds.items()}
    return Figures(model, ms, parts(net, feed, inputs, recipe, recorder(), rounds))


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

    for epoch in range(rounds + 1):
        shown = timed("loader", batches, epoch)
        timed("recorder", record, epoch, shown)
        timed("naive loader", load_naively, shown)
        timed("naive recorder", record_naively, shown)
    return {name: 1e3 * median(values[1:]) / STEPS for name, values in seconds.items()}


@dataclass(frozen=True)
class Row:
    """One line of the result; a naive side must break the limit, the others must keep it."""

    text: str
    value: float
    limit: float
    unit: str
    naive: bool = False

    @property
    def as_it_should(self) -> bool:
        return (self.value > self.limit) == self.naive

    def __str__(self) -> str:
        verdict = "fails" if self.value > self.limit else "holds"
        return (
            f"| {self.text} | {self.value:.2f}{self.unit} | {self.limit}{self.unit} | {verdict} |"
        )


def rows(convnet: Figures, linear: Figures) -> list[Row]:
    """Every number that has a limit."""
    part, naive = linear.parts, "naive, linear:"
    alone = part["loader"] + part["recorder"]
    naive_alone = part["naive loader"] + part["naive recorder"]
    return [
        Row("convnet: loop / bare steps", convnet.ratio("core"), RATIO, ""),
        Row("naive, convnet: PIL augmentation / bare", convnet.ratio("pil"), RATIO, "", True),
        Row("naive, convnet: PIL and `.item()` / bare", convnet.ratio("both"), RATIO, "", True),
        Row("linear: loop - bare, all it adds", linear.above("core"), BOTH_MS, " ms"),
        Row("linear: loader, augmentation, recorder alone", alone, BOTH_MS, " ms"),
        Row(f"{naive} PIL augmentation - bare", linear.above("pil"), BOTH_MS, " ms", True),
        Row(f"{naive} PIL and `.item()` - bare", linear.above("both"), BOTH_MS, " ms", True),
        Row(f"{naive} PIL and `.item()` alone", naive_alone, BOTH_MS, " ms", True),
        Row("recorder alone", part["recorder"], RECORDER_MS, " ms"),
        Row("naive: `.item()` recording alone", part["naive recorder"], RECORDER_MS, " ms", True),
    ]


def report(convnet: Figures, linear: Figures, rounds: int, threads: int) -> str:
    """The tables as Markdown."""
    names = {
        "bare": "bare steps",
        "core": "the loop: crop, flip, recorder, curve, checkpoints",
        "pil": "naive: bare steps, PIL augmentation",
        "item": "naive: bare steps, `.item()` recording",
        "both": "naive: bare steps, both",
    }
    return "\n".join(
        [
            "# Training: the loop against bare steps",
            "",
            f"`python -m benchmarks.training`: 32x32x3, batch {BATCH}, fp32, channels-last, "
            f"{STEPS} steps a round, {rounds} rounds after one of warm-up; {STEPS * BATCH:,} of "
            f"{N:,} samples. {machine('torch', threads=threads)}.",
            "",
            "| number | measured | limit | |",
            "|---|---|---|---|",
            *map(str, rows(convnet, linear)),
            "",
            "Seconds of one round and milliseconds of a step: median (range over the rounds); "
            "ratio and difference within a round, median:",
            "",
            *(line for figures in (convnet, linear) for line in _sides(figures, names)),
            "What the loop adds, each part alone, milliseconds a step: "
            + ", ".join(f"{name} {ms:.2f}" for name, ms in linear.parts.items())
            + ". The limit of the recorder alone is this benchmark's own: `.item()` costs little "
            "on a CPU, where nothing has to be waited for; the larger limits do not notice it.",
            "",
            "Noise: other processes took "
            f"{convnet.others:.1%} (convnet) and {linear.others:.1%} (linear) of the cores' time; "
            f"above {QUIET:.0%} a measurement is repeated.",
            "",
        ]
    )


def _sides(figures: Figures, names: dict[str, str]) -> Iterator[str]:
    yield f"| {figures.model} | seconds | ms a step | x bare | ms above bare |"
    yield "|---|---|---|---|---|"
    for side, name in names.items():
        ms = figures.ms[side]
        yield (
            f"| {name} | {STEPS * median(ms) / 1e3:.3f} | "
            f"{median(ms):.2f} ({min(ms):.2f} to {max(ms):.2f}) | "
            f"{figures.ratio(side):.3f} | {figures.above(side):.2f} |"
        )
    yield ""


def quiet(model: str, rounds: int, attempts: int, compute: devices.Compute) -> Figures:
    """The first measurement that others did not disturb, else the least disturbed one."""
    inputs, tried = Inputs.make(compute), []
    for _ in range(attempts):
        wait_for_quiet()
        with Others() as others:
            tried.append(measure(model, rounds, inputs, compute))
        tried[-1].others = others.share
        print(f"{model}: {tried[-1].ratio('core'):.3f} x bare, {others}", flush=True)
        if others.share <= QUIET:
            break
    return min(tried, key=lambda figures: figures.others)


def main() -> None:
    """Measure, print, write down; exit 1 when a limit is broken or a naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=11, help="at least 11, for the score's window"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--attempts", type=int, default=4, help="until others leave us alone")
    options = parser.parse_args()
    compute = devices.Compute(torch.device("cpu"), "fp32", options.threads, True)
    devices.apply(compute)
    torch.manual_seed(0)
    convnet = quiet("convnet", options.rounds, options.attempts, compute)
    linear = quiet("linear", options.rounds, options.attempts, compute)
    table = report(convnet, linear, options.rounds, options.threads)
    print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(table)
    sys.exit(not all(row.as_it_should for row in rows(convnet, linear)))


if __name__ == "__main__":
    main()
