"""One step of adversarial training against its arithmetic: ``python -m benchmarks.pgd``.

Both sides train ``convnet`` on the same 128 pictures of 32x32x3. ``core``: the paradigm's step with
PGD-10 (random start, ball, pixels, frozen batch-norm statistics, weight averaging off), backward,
update. ``bare``: ten gradients of the input and one training step, no ball at all. ``naive`` makes
the gradients of the weights in every attack step too, and must miss the limit. Sides take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import baselines
from benchmarks.conditions import Others, machine, wait_for_quiet
from core.data.bank import SampleBank
from core.models.build import build_net
from core.paradigms import adversarial
from core.paradigms.base import Start
from core.recipe import TrainSpec
from core.spec import ModelSpec
from core.training import devices
from core.training.feed import Feed

RESULT = Path(__file__).parent / "results" / "pgd.md"
BATCH, CLASSES, STEPS = 128, 10, 10
LIMIT = 1.08


def make_feed(compute: devices.Compute) -> Feed:
    """Made-up pictures."""
    rng = np.random.default_rng(0)
    bank = SampleBank(
        inputs=rng.integers(0, 256, (BATCH, 32, 32, 3), dtype=np.uint8),
        targets=rng.integers(0, CLASSES, BATCH), classes=tuple(map(str, range(CLASSES))),
        mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), fingerprint="made up",
    )  # fmt: skip
    return Feed(bank, compute)


def make_sides(feed: Feed, model: ModelSpec) -> dict[str, Callable[[], None]]:
    """One step of each side; each has a net of its own, with the same weights."""
    nets = [build_net(model, feed.bank, 0, "scoring").to(feed.device).train() for _ in range(3)]
    optimizers = [baselines.bare_sgd(net) for net in nets]
    x = feed.normalise(next(feed.raw_batches(None, BATCH)))
    params = adversarial.Params(loss="pgd", attack_steps=STEPS, ema=0.0)
    paradigm = adversarial.make(params, TrainSpec.model_validate({"epochs": "1ep"}))
    paradigm.begin(Start(nets[0], feed, 0, "scoring", 1, print))

    def core() -> None:
        optimizers[0].zero_grad()
        with feed.compute.autocast():
            out = paradigm.step(nets[0], x, feed.targets)
        torch.autograd.backward(out.loss)
        optimizers[0].step()
        paradigm.after_step(nets[0])

    def side(step: Callable[..., None], place: int) -> Callable[[], None]:
        def run() -> None:
            with feed.compute.autocast():
                step(nets[place], optimizers[place], x, feed.targets, STEPS)

        return run

    return {
        "core": core,
        "bare": side(baselines.bare_adversarial_step, 1),
        "naive": side(baselines.naive_adversarial_step, 2),
    }


def timed(run: Callable[[], None], device: torch.device) -> float:
    """Milliseconds of one step."""
    devices.synchronize(device)
    start = time.perf_counter()
    run()
    devices.synchronize(device)
    return 1e3 * (time.perf_counter() - start)


def report(took: dict[str, list[float]], setting: str) -> tuple[str, bool]:
    """The page, and whether core keeps the limit and the naive side does not."""
    rows, fine = [], True
    for name, found in took.items():
        ratio = statistics.median(a / b for a, b in zip(found, took["bare"], strict=True))
        if name != "bare":
            fine &= (ratio <= LIMIT) == (name == "core")
        rows.append(f"| {name} | {statistics.median(found):.1f} | {ratio:.3f} |")
    text = [
        "# One step of PGD-10 adversarial training", "", setting, "",
        "| side | milliseconds a step (median) | to bare (median within rounds) |", "|---|---|---|",
        *rows, "", f"Wanted: core at most {LIMIT} x bare. The naive side must miss it.", "",
    ]  # fmt: skip
    return "\n".join(text), fine


def main() -> None:
    """Measure, print, write down; exit 1 when the limit is broken or the naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--model", default="convnet")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--wait", type=float, default=300.0, help="Seconds to wait for quiet.")
    options = parser.parse_args()
    device = torch.device(options.device)
    precision = "bf16" if device.type == "cuda" else "fp32"
    compute = devices.Compute(device, precision, options.threads, True)
    devices.apply(compute)
    sides = make_sides(make_feed(compute), ModelSpec(name=options.model))
    wait_for_quiet(options.wait)
    for run in sides.values():
        timed(run, device)
    with Others() as others:
        rounds = [
            {n: timed(run, device) for n, run in sides.items()} for _ in range(options.rounds)
        ]
    took = {name: [r[name] for r in rounds] for name in sides}
    setting = (
        f"`python -m benchmarks.pgd`: {options.model}, {BATCH} pictures 32x32x3, {precision}, "
        f"{options.device}, {options.rounds} rounds. {machine('torch', threads=options.threads)}. "
        f"Meanwhile {others}."
    )
    text, fine = report(took, setting)
    print(text)
    if options.rounds >= 31:  # a small try is no result
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
