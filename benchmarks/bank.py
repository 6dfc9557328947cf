"""Opening a prepared dataset of 1,000,000 pictures: ``python -m benchmarks.bank``.

32x32 in colour with labels, paths, a column of sources and 1,000 class names, 3 GB on the disk.
Opened once in each of several fresh processes, imports not counted, and one label and one path are
read. The naive sides are the same files read into memory, and the same maps with the pictures'
checksum compared at every opening. ``--side 8`` needs 0.2 GB only.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import baselines
from benchmarks.conditions import Others, machine, wait_for_quiet
from core.data.bank import Samples, open_dataset, seal_dataset, verify_inputs, write_bank

LIMIT_S = 0.050
CLASSES = 1_000
RESULT = Path(__file__).parent / "results" / "bank.md"


class _Paths:
    """Texts made when they are asked for."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, row: int) -> str:
        return f"train/n{row % CLASSES:08}/n{row % CLASSES:08}_{row}.JPEG"


def make(folder: Path, number: int, side: int) -> None:
    """The dataset, a tenth of it for testing; all pictures are alike, which no opening can see."""
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    classes = [f"class {i}" for i in range(CLASSES)]
    for part, count in (("train", number), ("test", number // 10)):
        inputs = np.broadcast_to(picture, (count, *picture.shape))
        labels = np.arange(count) % CLASSES
        source = np.zeros(count, dtype=np.int8)
        samples = Samples(inputs, labels, _Paths(count), source)
        write_bank(folder / part, samples, classes, (np.zeros(3), np.ones(3)))
    seal_dataset(folder, "bench")


def opened(folder: Path) -> float:
    """Seconds until a label and a path are known."""
    start = time.perf_counter()
    dataset = open_dataset(folder)
    found = int(dataset.train.targets[777]), dataset.train.path[777], len(dataset.classes)
    seconds = time.perf_counter() - start
    if found != (777, _Paths(1000)[777], CLASSES):
        raise RuntimeError(f"opened something else: {found}")
    return seconds


def read(folder: Path) -> float:
    """Seconds of reading everything into memory."""
    start = time.perf_counter()
    baselines.naive_bank(folder)
    return time.perf_counter() - start


def hashed(folder: Path) -> float:
    """Seconds of opening it and comparing the checksum of the pictures."""
    start = time.perf_counter()
    verify_inputs(open_dataset(folder))
    return time.perf_counter() - start


SIDES: dict[str, Callable[[Path], float]] = {
    "open": opened, "naive: read into memory": read, "naive: checksum at opening": hashed,
}  # fmt: skip


def measure(number: int, side: int, rounds: int, wait_s: float) -> tuple[str, bool]:
    """The report, and whether every side did as it should."""
    folder = Path(tempfile.mkdtemp(prefix="prunectl-bench-"))
    try:
        make(folder, number, side)
        seconds: dict[str, list[float]] = {name: [] for name in SIDES}
        wait_for_quiet(wait_s)
        with Others() as others:
            for _ in range(rounds):
                for name, found in seconds.items():
                    found.append(_in_a_fresh_process(name, folder))
    finally:
        shutil.rmtree(folder)
    rows, fine = [], True
    for name, found in seconds.items():
        middle = statistics.median(found)
        fine &= (middle <= LIMIT_S) == (name == "open")
        spread = f"{1000 * min(found):.1f} to {1000 * max(found):.1f}"
        verdict = "holds" if middle <= LIMIT_S else "fails"
        rows.append(f"| {name} | {1000 * middle:.1f} ({spread}) | {verdict} |")
    text = [
        "# Opening a prepared dataset",
        "",
        f"`python -m benchmarks.bank`: {number:,} pictures {side}x{side}, {rounds} rounds. "
        f"{machine('numpy')}. Meanwhile {others}. Wanted: at most {1000 * LIMIT_S:.0f} ms.",
        "",
        "| side | milliseconds: median (range) | |",
        "|---|---|---|",
        *rows,
        "",
        "The naive sides must fail: else the limit would catch nothing.",
        "",
    ]
    return "\n".join(text), fine


def _in_a_fresh_process(name: str, folder: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.bank", "--open", name, "--folder", str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure, print, write down; exit 1 when the limit is broken or a naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wait", type=float, default=300.0, help="Seconds to wait for quiet.")
    parser.add_argument("--open", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        print(SIDES[options.open](options.folder))
        return
    text, fine = measure(options.pictures, options.side, options.rounds, options.wait)
    print(text)
    if options.pictures >= 1_000_000 and options.side >= 32:  # a small try is no result
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
