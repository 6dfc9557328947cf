"""The console against its budget: ``python -m benchmarks.console``.

Each measurement is a process of its own. Frames and keys are clocked in a real pseudo terminal,
from exec or the key to the bytes that show it; the others drive the application without one. Live
runs are written four times a second by a process beside it, one of them a million points long. The
naive side (``console_naive.py``) does the same the obvious way.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import resource
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks import console_data, console_naive
from benchmarks.conditions import Others, machine, wait_for_quiet
from core.runs import Run

RESULT = Path(__file__).parent / "results" / "console.md"
_TOP = Path(__file__).resolve().parent.parent
_MANY, _MILLION = 500, 1_000_000
LIMITS: dict[str, tuple[float, str]] = {
    "first frame, 500 runs (s)": (0.8, "all runs read before the first frame"),
    "rows filled, 500 runs (s)": (1.5, "specs parsed, journals replayed"),
    "1,000,000 points open (s)": (2.0, "records held, points in lists, all drawn"),
    "1,000,000 points, peak memory (MB)": (150.0, "records held, points in lists, all drawn"),
    "1,000,000 samples, peak memory (MB)": (150.0, "whole table decoded, all sorted"),
    "key latency, 95th percentile (ms)": (100.0, "journal read and all drawn at every turn"),
    "six charts of four series (ms)": (60.0, "every point drawn"),
    "idle CPU (%)": (2.0, "journal read and all drawn at every turn"),
}
"""What is measured, its limit, and what the naive side does."""
_COLUMNS = (
    "status", "run", "stage", "progress", "data", "method", "best", "saving", "started",
)  # fmt: skip
_READ_ALL = b"33"
"""A third of a million steps is on the screen."""
CAREFUL, NAIVE = ("prunectl.cli.main",), ("benchmarks.console_naive",)


@dataclass
class Terminal:
    """A console in a pseudo terminal of 120 by 40, seen from the other end."""

    master: int
    process: subprocess.Popen[bytes]
    begun: float
    said: bytes = b""

    def until(self, mark: bytes, seconds: float = 30.0) -> float:
        """Wait until it has written this; the seconds since it was started."""
        end = time.perf_counter() + seconds
        while mark not in self.said:
            if time.perf_counter() > end:
                raise TimeoutError(f"{mark!r} never came; {self.said[-300:]!r}")
            self._read(0.05)
        return time.perf_counter() - self.begun

    def quiet(self, seconds: float) -> None:
        """Read for a while."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)

    def key(self, key: bytes, mark: bytes) -> float:
        """Press a key; the seconds until it has written this after it."""
        self.said, begun = b"", time.perf_counter()
        os.write(self.master, key)
        self.until(mark)
        return time.perf_counter() - begun

    def cpu(self) -> float:
        """Seconds of CPU it has used (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.said += os.read(self.master, 1 << 16)


@contextmanager
def terminal(
    folder: Path, run: Sequence[str] = (), module: tuple[str] = CAREFUL
) -> Iterator[Terminal]:
    """A console on a runs folder; it and both ends of its terminal are gone afterwards."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *module, "tui", *run, "--runs-dir", str(folder)], cwd=_TOP,
        stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(master, process, begun)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def first_frames(folder: Path) -> dict[str, float]:
    """Seconds to the line of keys, and until all rows are there."""
    with terminal(folder) as console:
        first = console.until(b"enter")
        filled = console.until(f"{_MANY} runs, 0 live".encode())
    return {"first frame, 500 runs (s)": first, "rows filled, 500 runs (s)": filled}


def keys(folder: Path) -> dict[str, float]:
    """Keys while four runs stream: the axis of a run's curves, then sorting the list."""
    waits = []
    with terminal(folder, ["live0-run"]) as console:
        console.until(_READ_ALL)
        console.quiet(8.0)
        for turn in range(60):
            waits.append(console.key(b"x", (b"step", b"time", b"epoch")[turn % 3]))
            console.quiet(0.05)
        os.write(console.master, b"q")
        console.until(b"by started")
        for turn in range(60):
            column = _COLUMNS[turn % len(_COLUMNS)]
            waits.append(console.key(b"o", f"by {column}".encode()))
            console.quiet(0.05)
    return {"key latency, 95th percentile (ms)": 1000 * quantiles(waits, n=20)[-1]}


def one_key(folder: Path) -> dict[str, float]:
    """The naive side: one key, given up after a while; a lower bound then."""
    with terminal(folder, ["live0-run"], NAIVE) as console:
        with suppress(TimeoutError):
            console.until(_READ_ALL)
        begun = time.perf_counter()
        with suppress(TimeoutError):
            console.key(b"x", b"step")
        return {"key latency, 95th percentile (ms)": 1000 * (time.perf_counter() - begun)}


def idle(folder: Path, module: tuple[str] = CAREFUL) -> dict[str, float]:
    """CPU while a finished run is shown and nothing happens."""
    with terminal(folder, ["0000-recorded"], module) as console:
        console.until(b"trade-off")
        console.quiet(3.0)
        used, begun = console.cpu(), time.perf_counter()
        console.quiet(6.0)
        share = (console.cpu() - used) / (time.perf_counter() - begun)
    return {"idle CPU (%)": 100 * share}


async def open_long(folder: Path) -> dict[str, float]:
    """From the first import to all points on the screen."""
    begun = time.perf_counter()
    from prunectl.tui.app import Console

    app = Console(folder, Run(folder / "long-run"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen: Any = app.screen
        while not screen.known.read_all:
            await asyncio.sleep(0.01)
        await pilot.pause()
        took = time.perf_counter() - begun
        await pilot.press("x", "m", "l", "right")
    _light()
    return {
        "1,000,000 points open (s)": took, "1,000,000 points, peak memory (MB)": _peak(),
    }  # fmt: skip


async def look_at_large(folder: Path) -> dict[str, float]:
    """A run's scores, then its samples in all three views, a page further each."""
    from prunectl.tui.app import Console

    app = Console(folder, Run(folder / "large-run"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen: Any = app.screen
        while not screen.known.scores:
            await asyncio.sleep(0.02)
        await pilot.pause()
        await pilot.press("p")
        for key in ("right", "v", "right", "v", "right", "r", "c"):
            screen = app.screen
            while screen.page is None or screen.page.wish != screen.wish:
                await asyncio.sleep(0.02)
            assert screen.page.sides, screen.page.trouble
            await pilot.press(key)
    _light()
    return {"1,000,000 samples, peak memory (MB)": _peak()}


def charts() -> dict[str, float]:
    """Six charts of four series of 100,000 points."""
    from prunectl.tui.charts.line import Axes, line_chart
    from prunectl.tui.charts.series import Curve
    from prunectl.tui.drawing import Look

    rng, x = np.random.default_rng(0), np.arange(100_000.0)
    four = [Curve(str(n), x, rng.normal(size=len(x)), n) for n in range(4)]
    took = []
    for _ in range(10):
        begun = time.perf_counter()
        for _ in range(6):
            line_chart(four, 60, 14, Look(), Axes("step"))
        took.append(time.perf_counter() - begun)
    return {"six charts of four series (ms)": 1000 * median(took)}


def naive(what: str, folder: Path) -> dict[str, float]:
    """Seconds and peak memory of one naive side."""
    begun = time.perf_counter()
    {
        "rows": lambda: console_naive.rows(folder / "many"),
        "long": lambda: console_naive.long(folder / "long" / "long-run"),
        "large": lambda: console_naive.large(folder / "large" / "large-run"),
        "charts": console_naive.charts,
    }[what]()
    return {"seconds": time.perf_counter() - begun, "peak": _peak()}


def _peak() -> float:
    """Largest memory of this process so far, MB (Linux: of this program; ru_maxrss would remember
    what its parent held before)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(li for li in status.read_text().splitlines() if li.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _light() -> None:
    heavy = {"torch", "mlflow", "sklearn", "faiss", "scipy"} & set(sys.modules)
    assert not heavy, heavy


_APART: dict[str, Callable[[Path], dict[str, float]]] = {
    "long": lambda folder: asyncio.run(open_long(folder / "long")),
    "large": lambda folder: asyncio.run(look_at_large(folder / "large")),
    "charts": lambda folder: charts(),
    **{f"naive-{w}": lambda f, w=w: naive(w, f) for w in ("rows", "long", "large", "charts")},  # type: ignore[misc]  # mypy cannot type a lambda with a default
}


def _apart(what: str, folder: Path) -> dict[str, float]:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.console", "--only", what, "--folder", str(folder)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=_TOP,
    )  # fmt: skip
    found: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return found


@contextmanager
def live(folder: Path) -> Iterator[Path]:
    """Four runs that are written to meanwhile."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.console", "--only", "stream", "--folder", str(folder)],
        cwd=_TOP,
    )
    try:
        while not (folder / "live3-run" / "state.json").exists():
            time.sleep(0.1)
        yield folder
    finally:
        writer.kill()
        writer.wait()


def measure(folder: Path) -> dict[str, float]:
    """The careful side of all, once."""
    found = first_frames(folder / "many") | idle(folder / "many")
    for what in ("long", "large", "charts"):
        found |= _apart(what, folder)
    with live(folder / "live") as runs:
        return found | keys(runs)


def measure_naive(folder: Path) -> dict[str, float]:
    """The naive side of all, once; what it has no part in counts nothing."""
    rows, long, large, charts = (
        _apart(f"naive-{what}", folder) for what in ("rows", "long", "large", "charts")
    )
    found = {
        "first frame, 500 runs (s)": rows["seconds"], "rows filled, 500 runs (s)": rows["seconds"],
        "1,000,000 points open (s)": long["seconds"],
        "1,000,000 points, peak memory (MB)": long["peak"],
        "1,000,000 samples, peak memory (MB)": large["peak"],
        "six charts of four series (ms)": 1000 * charts["seconds"],
    } | idle(folder / "many", NAIVE)  # fmt: skip
    with live(folder / "naive-live") as runs:
        return found | one_key(runs)


def _prepare(folder: Path) -> None:
    console_data.make_runs(folder / "many", _MANY)
    console_data.make_long(folder / "long" / "long-run", _MILLION).close()
    console_data.make_large(folder / "large" / "large-run", _MILLION)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="print, but leave the results file")
    options = parser.parse_args()
    if options.only == "stream":
        console_data.stream(options.folder, 4, 300.0, _MILLION)
    elif options.only:
        print(json.dumps(_APART[options.only](options.folder)))
    else:
        text = _report(options.rounds)
        print(text)
        if not options.keep:
            RESULT.write_text(text, encoding="utf-8")


def _report(rounds: int) -> str:
    wait_for_quiet(30.0)
    found = []
    with Others() as others:
        for number in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                _prepare(Path(folder))
                found.append(measure(Path(folder)))
                if number == 0:
                    obvious = measure_naive(Path(folder))
    lines = ["# The console", "", f"{machine()}; {others}; medians of {rounds}, naive once.",
             "", "| what | measured | limit | naive side | |", "|---|---|---|---|---|"]  # fmt: skip
    for what, (limit, how) in LIMITS.items():
        ours = median(one[what] for one in found)
        verdict = "" if ours <= limit else " **over**"
        lines.append(f"| {what} | {ours:.2f}{verdict} | {limit:g} | {obvious[what]:.2f} | {how} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
