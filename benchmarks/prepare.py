"""Preparing a folder of JPEGs against its decoder alone: ``python -m benchmarks.prepare``.

20,000 pictures (500x375 as ImageNet's are on average, 500 different ones) are brought to 64x64. One
side prepares the dataset: looks through the folder, decodes in processes, checks, splits, hashes,
writes, syncs. The other runs the same decoder in as many processes and throws the pixels away; its
clock starts when all of them are ready. The naive side is one process with Pillow that keeps
everything in a list, once. Sides take turns, each in a process of its own; ratios are taken within
a turn. Memory is the peak of what the processes hold themselves (anonymous pages, all processes of
a side, 20 looks a second), with a quarter of the pictures and with all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import baselines
from benchmarks.conditions import Others, machine, wait_for_quiet

SIZE, CLASSES, DIFFERENT = 64, 4, 500
RATE_LIMIT, GROWTH_LIMIT = 0.90, 32e6
RESULT = Path(__file__).parent / "results" / "prepare.md"


def make_pictures(root: Path, number: int) -> None:
    """Smooth noise as JPEG, ``DIFFERENT`` times, each copied under as many names as are needed."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    different = []
    for i in range(min(DIFFERENT, number)):
        coarse = Image.fromarray(rng.integers(0, 256, (38, 50, 3), dtype=np.uint8))
        fine = rng.integers(-12, 13, (375, 500, 3))
        smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC)) + fine
        file = root / f"picture-{i}.jpg"
        Image.fromarray(smooth.clip(0, 255).astype(np.uint8)).save(file, quality=85)
        different.append(file.read_bytes())
        file.unlink()
    for i in range(number):
        folder = root / f"class-{i % CLASSES}"
        folder.mkdir(exist_ok=True)
        (folder / f"{i:06}.jpg").write_bytes(different[i % len(different)])


def prepared(root: Path, workers: int) -> float:
    """Seconds of a whole preparation into a fresh cache."""
    from core.data.prepare import prepare_dataset
    from core.testing.data import PlainDataSpec

    spec = PlainDataSpec("folder", root=root, size=SIZE, test_fraction=0.2)
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        dataset = prepare_dataset(spec, Path(cache), lambda done, total: None, workers=workers)
        seconds = time.perf_counter() - start
        if dataset.train.inputs.shape[1:] != (SIZE, SIZE, 3):
            raise RuntimeError("other pictures than expected")
    return seconds


def bare(root: Path, workers: int) -> float:
    """Seconds of decoding alone: processes that read, decode and forget."""
    from core.data._pixels import decode

    paths = sorted(str(path) for path in root.rglob("*.jpg"))
    return baselines.bare_decoding(lambda path: decode(path, SIZE, 3), paths, workers)


def naive(root: Path, workers: int) -> float:
    """Seconds of the obvious way."""
    start = time.perf_counter()
    baselines.naive_pictures(sorted(root.rglob("*.jpg")), SIZE)
    return time.perf_counter() - start


SIDES: dict[str, Callable[[Path, int], float]] = {"prepare": prepared, "bare": bare, "naive": naive}


class Peak:
    """The most anonymous memory that this process and its descendants held at once (Linux)."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The peak in bytes."""
        self._over.set()
        self._thread.join()
        return self.bytes

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.bytes = max(self.bytes, sum(map(_anonymous, _family(os.getpid()))))


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += _family(int(child))
    return found


def _anonymous(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def run_side(name: str, root: Path, workers: int) -> tuple[float, int]:
    """(seconds, peak bytes) of a side in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.prepare", "--side", name, "--root", str(root)]
    done = subprocess.run(
        [*command, "--workers", str(workers)], check=True, capture_output=True, text=True
    )
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def measure(number: int, rounds: int, workers: int, wait_s: float) -> tuple[str, bool]:
    """The report, and whether every side did as it should."""
    with tempfile.TemporaryDirectory(prefix="prunectl-bench-") as folder:
        root, quarter = Path(folder) / "all", Path(folder) / "quarter"
        for place, count in ((root, number), (quarter, number // 4)):
            place.mkdir()
            make_pictures(place, count)
        seconds: dict[str, list[float]] = {name: [] for name in SIDES}
        peaks: dict[str, int] = {}
        wait_for_quiet(wait_s)
        with Others() as others:
            for turn in range(rounds):
                for name, found in seconds.items():
                    if name != "naive" or turn == 0:  # it is slow, and far from the limit
                        took, peaks[name] = run_side(name, root, workers)
                        found.append(took)
        small = {name: run_side(name, quarter, workers)[1] for name in ("prepare", "naive")}
        shutil.rmtree(root)
    return _report(number, rounds, workers, seconds, peaks, small, others)


def _report(
    number: int,
    rounds: int,
    workers: int,
    seconds: dict[str, list[float]],
    peaks: dict[str, int],
    small: dict[str, int],
    others: Others,
) -> tuple[str, bool]:
    rows, fine = [], True
    turns: dict[str, list[float]] = {}
    for name in ("prepare", "naive"):
        turns[name] = [b / s for b, s in zip(seconds["bare"], seconds[name], strict=False)]
        ratio = statistics.median(turns[name])
        growth = peaks[name] - small[name]
        holds = ratio >= RATE_LIMIT, growth <= GROWTH_LIMIT
        fine &= all(holds) if name == "prepare" else not any(holds)
        rate = number / statistics.median(seconds[name])
        rows.append(
            f"| {name} | {rate:,.0f} | {ratio:.2f} ({'holds' if holds[0] else 'fails'}) | "
            f"{peaks[name] / 1e6:.0f} | {growth / 1e6:+.0f} ({'holds' if holds[1] else 'fails'}) |"
        )
    rate = number / statistics.median(seconds["bare"])
    text = [
        "# Preparing a folder of JPEGs",
        "",
        f"`python -m benchmarks.prepare`: {number:,} pictures to {SIZE}x{SIZE}, {workers} "
        f"processes, {rounds} rounds. {machine('pillow', 'numpy')}. Meanwhile {others}.",
        "",
        f"The decoder alone: {rate:,.0f} pictures a second. Wanted: at least {RATE_LIMIT:.0%} of "
        f"that, and at most {GROWTH_LIMIT / 1e6:.0f} MB more memory than a quarter of the pictures "
        "takes.",
        "",
        "| side | pictures a second | of the decoder alone | peak, MB | above a quarter's, MB |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "prepare, round by round: " + ", ".join(f"{ratio:.2f}" for ratio in turns["prepare"]) + ".",
        "",
        "The naive side must fail at both: else the limits would catch nothing.",
        "",
    ]
    return "\n".join(text), fine


def main() -> None:
    """Measure, print, write down; exit 1 when a limit is broken or the naive side keeps one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--wait", type=float, default=300.0, help="Seconds to wait for quiet.")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        peak = Peak()
        seconds = SIDES[options.side](options.root, options.workers)
        print(json.dumps([seconds, peak.stop()]))
        return
    text, fine = measure(options.pictures, options.rounds, options.workers, options.wait)
    print(text)
    if options.pictures >= 20_000:  # a small try is no result
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
