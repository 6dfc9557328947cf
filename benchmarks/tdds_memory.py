"""Memory of TDDS at 100,000 samples and 1,000 classes: ``python -m benchmarks.tdds_memory``.

Each side watches made-up logits in a process of its own; the figure is the growth of the peak
resident memory from before the score is made to after its last number. At most 260 MB: the previous
epoch's log probabilities in half precision are 200 MB. Keeping the window's trajectory, as the
published code does for all epochs, must miss it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.conditions import machine
from core.scores.base import Batch
from core.scores.tdds import Tdds

RESULT = Path(__file__).parent / "results" / "tdds_memory.md"
LIMIT = 260.0
WINDOW, BATCH = 10, 256


def peak() -> float:
    """Peak resident memory of this process in MB (10^6 bytes)."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6


def batches(m: int, classes: int, seed: int) -> list[tuple[int, int, int]]:
    """(start, stop, seed) of each batch of an epoch."""
    return [(at, min(at + BATCH, m), seed * m + at) for at in range(0, m, BATCH)]


def shown(start: int, stop: int, classes: int, seed: int) -> Batch:
    """Made-up logits of the samples start .. stop."""
    logits = torch.randn(stop - start, classes, generator=torch.Generator().manual_seed(seed))
    return Batch(torch.arange(start, stop), logits, torch.zeros(stop - start, dtype=torch.int64))


def streaming(m: int, classes: int, epochs: int) -> float:
    """The score as it is."""
    score = Tdds(m, classes, range(epochs), WINDOW, 0.9, torch.device("cpu"))
    for epoch in range(epochs):
        for start, stop, seed in batches(m, classes, epoch):
            score.observe(epoch, shown(start, stop, classes, seed))
        score.end_epoch(epoch)
    return float(score.finalize().sum())


def trajectory(m: int, classes: int, epochs: int) -> float:
    """Naive: a window's probabilities are kept, the formula is applied to them."""
    kept = torch.zeros(WINDOW, m, classes, dtype=torch.float16)
    total = 0.0
    for epoch in range(epochs):
        for start, stop, seed in batches(m, classes, epoch):
            kept[epoch % WINDOW, start:stop] = shown(start, stop, classes, seed).probs.half()
    for at in range(0, m, BATCH):
        p = kept[:, at : at + BATCH].float()
        moved = (p[1:] * ((p[1:] + 1e-8).log() - (p[:-1] + 1e-8).log())).abs().sum(2)
        total += float(torch.linalg.vector_norm(moved - moved.mean(0), dim=0).sum())
    return total


SIDES = {"streaming": streaming, "trajectory of one window": trajectory}


def weigh(side: str, m: int, classes: int, epochs: int) -> float:
    """Growth in MB of this process's peak."""
    torch.set_num_threads(1)
    SIDES[side](2 * BATCH, classes, epochs)  # what torch itself takes
    before = peak()
    SIDES[side](m, classes, epochs)
    return peak() - before


def main() -> None:
    """Measure, print, write down; exit 1 when the limit is broken or the naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=WINDOW + 2)
    parser.add_argument("--weigh", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = options.samples, options.classes, options.epochs
    if options.weigh:
        print(weigh(options.weigh, *sizes))
        return
    limit = LIMIT * options.samples * options.classes / 1e8
    rows, right = [], True
    for side in SIDES:
        numbers = [
            f"--{n}={v}" for n, v in zip(("samples", "classes", "epochs"), sizes, strict=True)
        ]
        command = [sys.executable, "-m", "benchmarks.tdds_memory", "--weigh", side, *numbers]
        grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        holds, naive = grown <= limit, side != "streaming"
        right &= holds != naive
        verdict = "fails, as it must" if naive and not holds else "holds" if holds else "fails"
        rows.append(f"| {side} | {grown:.0f} | {limit:.0f} | {verdict} |")
    text = "\n".join(
        [
            "# Memory of TDDS",
            "",
            f"`python -m benchmarks.tdds_memory`: {sizes[0]:,} samples, {sizes[1]:,} classes, "
            f"{sizes[2]} epochs, window {WINDOW}. {machine('torch', threads=1)}.",
            "",
            "| side | MB beyond the process | limit | |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
    print(text)
    if options.samples == 100_000:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.exit(not right)


if __name__ == "__main__":
    main()
