"""The console against its budget: ``python -m benchmarks.console``.

Each measurement is a process of its own. The first two are clocked in a real pseudo terminal from
exec to the bytes that show it; the others drive the application without a terminal's drawing.
Live runs are threads of a process beside it that write four journals four times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks.conditions import Others, machine, wait_for_quiet
from core import events as ev
from core.journal import Journal
from core.locks import hostname, process_start
from core.runs import Run, State

RESULT = Path(__file__).parent / "results" / "console.md"
_TOP = Path(__file__).resolve().parent.parent
_RECORDED = _TOP / "tests" / "journals" / "finished"
LIMITS = {
    "first frame, 500 runs (s)": 0.8, "rows filled, 500 runs (s)": 1.5,
    "1,000,000 points open (s)": 2.0, "key latency, 95th percentile (ms)": 100.0,
    "six charts of four series (ms)": 60.0, "idle CPU (%)": 2.0, "memory (MB)": 150.0,
}  # fmt: skip


def make_runs(folder: Path, count: int) -> None:
    """Copies of a recorded run."""
    for number in range(count):
        run = folder / f"{number:04d}-recorded"
        run.mkdir(parents=True)
        for name in ("spec.yaml", "events.jsonl", "state.json", "summary.json"):
            shutil.copy(_RECORDED / name, run / name)


def start_run(folder: Path) -> Journal:
    """A run that seems to be worked on by this process; its journal."""
    folder.mkdir(parents=True)
    shutil.copy(_RECORDED / "spec.yaml", folder)
    journal = Journal(Run(folder).journal)
    with open(_RECORDED / "events.jsonl", encoding="utf-8") as file:
        for line in (next(file), next(file)):
            journal.append(ev.from_dict(json.loads(line)) or ev.Message("error", "?"))
    journal.append(ev.TaskStarted("score-s0", "score", 0))
    pid = os.getpid()
    state = State("running", None, pid, process_start(pid), hostname(), time.time())
    Run(folder).write_state(state)
    return journal


def add_points(journal: Journal, first: int, count: int) -> None:
    """A piece of three curves and the progress."""
    steps = list(range(first, first + count))
    values = [1 / (1 + s / 1e4) for s in steps]
    for series in ("train/loss", "train/accuracy", "test/accuracy"):
        journal.append(ev.Points("score-s0", series, steps, [s / 100 for s in steps], values))
    journal.append(ev.Progress("score-s0", first + count, 1e6, "steps"))


def stream(folder: Path, runs: int, seconds: float) -> None:
    """Write to some live runs four times a second."""
    journals = [start_run(folder / f"live{n}-run") for n in range(runs)]
    end, step = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for journal in journals:
            add_points(journal, step, 20)
        step += 20
        time.sleep(0.25)


def in_terminal(folder: Path, marks: list[bytes]) -> list[float]:
    """Seconds from exec until the console has written each of these in turn."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "prunectl.cli.main", "tui", "--runs-dir", str(folder)],
        stdin=slave, stdout=slave, stderr=slave, cwd=_TOP,
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    said, found = b"", []
    while len(found) < len(marks) and time.perf_counter() - begun < 30:
        if select.select([master], [], [], 0.05)[0]:
            said += os.read(master, 1 << 16)
        while len(found) < len(marks) and marks[len(found)] in said:
            found.append(time.perf_counter() - begun)
    process.terminate()
    while process.poll() is None:
        if select.select([master], [], [], 0.05)[0]:
            try:
                os.read(master, 1 << 16)
            except OSError:
                break
    process.wait()
    return found


async def _open_long(folder: Path) -> dict[str, float]:
    begun = time.perf_counter()
    from prunectl.tui.app import Console

    app = Console(folder, Run(folder / "long-run"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen: Any = app.screen
        while not screen.known.read_all:
            await asyncio.sleep(0.01)
        await pilot.pause()
        return {"1,000,000 points open (s)": time.perf_counter() - begun}


async def _live(folder: Path) -> dict[str, float]:
    """Keys while four runs stream, on the list and on a run; then memory and what is loaded."""
    import resource

    from prunectl.tui.app import Console

    app, waits = Console(folder, Run(folder / "live0-run")), []
    async with app.run_test(size=(120, 40)) as pilot:
        await asyncio.sleep(1.0)
        for turn in range(120):
            if turn == 60:
                await pilot.press("q")
            begun = time.perf_counter()
            await pilot.press("right" if turn < 60 else ("down", "up")[turn % 2])
            waits.append(time.perf_counter() - begun)
            await asyncio.sleep(0.03)
    heavy = {"torch", "mlflow", "sklearn", "faiss", "scipy"} & set(sys.modules)
    assert not heavy, heavy
    return {
        "key latency, 95th percentile (ms)": 1000 * quantiles(waits, n=20)[-1],
        "memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _idle(folder: Path) -> dict[str, float]:
    from prunectl.tui.app import Console

    app = Console(folder, Run(folder / "0000-recorded"))
    async with app.run_test(size=(120, 40)):
        await asyncio.sleep(2.0)
        begun, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(5.0)
        share = (time.process_time() - used) / (time.perf_counter() - begun)
    return {"idle CPU (%)": 100 * share}


def _charts() -> dict[str, float]:
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


def _apart(what: str, folder: Path) -> dict[str, float]:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.console", "--only", what, "--folder", str(folder)],
        capture_output=True, text=True, check=True, cwd=_TOP,
    )  # fmt: skip
    found: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return found


def measure(folder: Path) -> dict[str, float]:
    """All of it, once."""
    make_runs(folder / "many", 500)
    found: dict[str, float] = {}
    marks = [b"enter", b"500 runs, 0 live"]
    first, filled = in_terminal(folder / "many", marks)
    found["first frame, 500 runs (s)"], found["rows filled, 500 runs (s)"] = first, filled
    journal = start_run(folder / "long" / "long-run")
    for step in range(0, 333_400, 1000):
        add_points(journal, step, 1000)
    found |= _apart("long", folder / "long") | _apart("charts", folder)
    writer = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.console", "--only", "stream", "--folder",
         str(folder / "live")], cwd=_TOP,
    )  # fmt: skip
    time.sleep(2.0)
    found |= _apart("live", folder / "live")
    writer.kill()
    writer.wait()
    return found | _apart("idle", folder / "many")


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.only == "stream":
        stream(options.folder, 4, 60.0)
    elif options.only == "charts":
        print(json.dumps(_charts()))
    elif options.only:
        drive = {"long": _open_long, "live": _live, "idle": _idle}[options.only]
        print(json.dumps(asyncio.run(drive(options.folder))))
    else:
        _report(options.rounds)


def _report(rounds: int) -> None:
    wait_for_quiet(30.0)
    found = []
    with Others() as others:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(Path(folder)))
    lines = ["# The console", "", f"{machine()}; {others}; medians of {rounds}.", "",
             "| what | measured | limit |", "|---|---|---|"]  # fmt: skip
    for what, limit in LIMITS.items():
        lines.append(f"| {what} | {median(one[what] for one in found):.2f} | {limit:g} |")
    text = "\n".join(lines) + "\n"
    RESULT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
