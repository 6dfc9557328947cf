"""Crop, flip, cutout, normalise, 128 pictures at a time: ``python -m benchmarks.augment``.

Batches as the training loop takes them out of a bank of 50,000 pictures, 32x32 in colour: drawing
the numbers of the epoch, gathering the rows, padding by 4 and cropping, mirroring half of them,
cutting out a square of 8, scaling to mean 0. Milliseconds a batch are medians over epochs of 39
batches, the first of which is warm-up. The naive side does the same with Pillow and torchvision,
picture by picture; both take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import baselines
from benchmarks.conditions import Others, machine, wait_for_quiet
from core.data._statistics import statistics as scale_of
from core.data.bank import SampleBank, Samples, write_bank
from core.spec import ComputeSpec
from core.training import devices
from core.training.augment import parse_augment
from core.training.epoch import epoch_order, training_batches
from core.training.feed import Feed

N, STEPS, BATCH, CROP, CUTOUT = 50_000, 39, 128, 4, 8
LIMIT_MS = 5.0
RESULT = Path(__file__).parent / "results" / "augment.md"


def make_bank(folder: Path) -> SampleBank:
    """50,000 pictures of noise."""
    pictures = np.random.default_rng(0).integers(0, 256, (N, 32, 32, 3), dtype=np.uint8)
    scale = scale_of(pictures, np.arange(N))
    return write_bank(folder / "bank", Samples(pictures, np.arange(N) % 10), ["x"] * 10, scale)


def batched(bank: SampleBank, threads: int) -> Callable[[int], float]:
    """An epoch as the training loop goes through it: seconds a batch."""
    compute = devices.resolve(ComputeSpec(device="cpu", threads=threads))
    devices.apply(compute)
    feed = Feed(bank, compute)
    entries = (f"crop:{CROP}", "flip", f"cutout:{CUTOUT}")
    augment = parse_augment(entries, bank.input_shape, compute.device)
    ids = np.arange(STEPS * BATCH)

    def epoch(number: int) -> float:
        start = time.perf_counter()
        order = epoch_order(ids, N, 0, "scoring", number)
        count = 0
        for batch in training_batches(
            feed, order, BATCH, augment, seed=0, role="scoring", epoch=number
        ):
            count += int(batch.x.shape == (BATCH, 3, 32, 32))
        if count != STEPS:
            raise RuntimeError("other batches than expected")
        return (time.perf_counter() - start) / STEPS

    return epoch


def naive(bank: SampleBank) -> Callable[[int], float]:
    """The same, picture by picture: seconds a batch, over four of them."""
    transform = baselines.pil_augmentation(bank.mean, bank.std, CROP)

    def epoch(number: int) -> float:
        torch.manual_seed(number)
        start = time.perf_counter()
        for at in range(0, 4 * BATCH, BATCH):
            loaded = baselines.naive_loading(bank.inputs[at : at + BATCH], transform)
            baselines.naive_cutout(loaded, CUTOUT)
        return (time.perf_counter() - start) / 4

    return epoch


def measure(rounds: int, threads: int, wait_s: float) -> tuple[str, bool]:
    """The report, and whether both sides did as they should."""
    with tempfile.TemporaryDirectory(prefix="prunectl-bench-") as folder:
        bank = make_bank(Path(folder))
        sides = {"batches of the training loop": batched(bank, threads), "naive": naive(bank)}
        wait_for_quiet(wait_s)
        with Others() as others:
            took = [[1000 * epoch(i) for epoch in sides.values()] for i in range(rounds + 1)][1:]
    rows, fine = [], True
    for name, found in zip(sides, zip(*took, strict=True), strict=True):
        middle = statistics.median(found)
        fine &= (middle <= LIMIT_MS) == (name != "naive")
        verdict = "holds" if middle <= LIMIT_MS else "fails"
        rows.append(f"| {name} | {middle:.2f} ({min(found):.2f} to {max(found):.2f}) | {verdict} |")
    text = [
        "# Augmentation",
        "",
        f"`python -m benchmarks.augment`: {BATCH} pictures 32x32x3, crop, flip, cutout, normalise; "
        f"{rounds} rounds. {machine('torch', 'torchvision', threads=threads)}. Meanwhile {others}. "
        f"Wanted: at most {LIMIT_MS:.0f} ms a batch.",
        "",
        "| side | milliseconds a batch: median (range) | |",
        "|---|---|---|",
        *rows,
        "",
        "The naive side must fail: else the limit would catch nothing.",
        "",
    ]
    return "\n".join(text), fine


def main() -> None:
    """Measure, print, write down; exit 1 when the limit is broken or the naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--wait", type=float, default=300.0, help="Seconds to wait for quiet.")
    options = parser.parse_args()
    text, fine = measure(options.rounds, options.threads, options.wait)
    print(text)
    if options.rounds >= 9:  # a small try is no result
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
