"""``prunectl run --preset quickstart`` as a user types it: ``python -m benchmarks.quickstart``.

The whole command is timed, from starting the process to its end, each time into a fresh runs
folder (nothing is reused). First once cold: the data are not prepared and, where the machine lets
us, the files of the Python environment are dropped from the page cache. Then several times with
files cached; the median of these must be at most 60 s on two cores. A run that had to queue behind
another run of this machine, or shared it with others, does not count and is repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.conditions import QUIET, Others, machine, wait_for_quiet

RESULT = Path(__file__).parent / "results" / "quickstart.md"
LIMIT = 60.0
COMMAND = [str(Path(sys.executable).with_name("prunectl")), "run", "--preset", "quickstart"]


@dataclass(frozen=True)
class Measured:
    """One run: seconds of the command, of its tasks by stage, and what others took."""

    name: str
    seconds: float
    stages: dict[str, float]
    others: float
    queued: bool

    @property
    def counts(self) -> bool:
        return self.others <= QUIET and not self.queued

    def __str__(self) -> str:
        tasks = sum(self.stages.values())
        training = self.stages["score"] + self.stages["reference"] + self.stages["retrain"]
        return (
            f"| {self.name} | {self.seconds:.1f} | {training:.1f} | {tasks - training:.1f} "
            f"| {self.seconds - tasks:.1f} | {self.others:.1%} |"
        )


def run(name: str, data: Path) -> Measured:
    """The command once, into a fresh runs folder; ``data`` is where prepared data lie."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Others() as others:
        start = time.perf_counter()
        done = subprocess.run(
            [*COMMAND, "--runs-dir", "runs"],
            cwd=folder,
            env={**os.environ, "PRUNECTL_DATA": str(data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"exit code {done.returncode}:\n{done.stdout}")
        summary = json.loads(next(Path(folder).glob("runs/*/summary.json")).read_text())
    stages: dict[str, float] = defaultdict(float)
    for task in summary["cost"]["stages"]:
        stages[task["stage"]] += task["seconds"]
    return Measured(name, seconds, stages, others.share, "queued behind" in done.stdout)


def quiet_run(name: str, data: Path, attempts: int) -> Measured:
    """The first run that counts, else the one of ``attempts`` in which others took least."""
    tried = []
    for _ in range(attempts):
        wait_for_quiet()
        tried.append(run(name, data))
        print(tried[-1], "" if tried[-1].counts else "does not count", flush=True)
        if tried[-1].counts:
            return tried[-1]
    return min(tried, key=lambda measured: (measured.queued, measured.others))


def forget_files() -> bool:
    """Drop the Python environment from the page cache, as after a start of the machine."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for file in Path(path).rglob("*"):
            if file.is_file() and not file.is_symlink():
                with open(file, "rb") as opened:
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def report(cold: Measured, warm: list[Measured], dropped: bool) -> str:
    """The table as Markdown."""
    middle = median(measured.seconds for measured in warm)
    verdict = "holds" if middle <= LIMIT else "misses it"
    cache = " and the Python environment not in the page cache" if dropped else ""
    return "\n".join(
        [
            "# The quickstart, the whole command",
            "",
            f"`python -m benchmarks.quickstart`: `prunectl run --preset quickstart`, output to a "
            f"pipe, fresh runs folder each time. {machine('torch', 'numpy')}.",
            "",
            f"**Median of {len(warm)} with files cached: {middle:.1f} s; limit {LIMIT:.0f} s: "
            f"{verdict}.** Cold first run: {cold.seconds:.1f} s (data not prepared{cache}).",
            "",
            "| run | seconds | trainings | other tasks | start, summary, between | others |",
            "|---|---|---|---|---|---|",
            *map(str, [cold, *warm]),
            "",
            "`trainings` is what the ledger books for the stages score, reference and retrain, "
            "evaluation of the test set not included; that is in the fifth column, with starting "
            "Python and torch. `others`: share of all cores that other processes took meanwhile; "
            f"a run with more than {QUIET:.0%}, or queued behind another, is repeated.",
            "",
        ]
    )


def main() -> None:
    """Measure, print, write down; exit 1 when the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--attempts", type=int, default=5, help="for each run, until one is quiet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data = Path(folder)
        wait_for_quiet()
        dropped = forget_files()
        cold = run("cold", data)
        print(cold, flush=True)
        warm = [quiet_run(f"cached {i + 1}", data, options.attempts) for i in range(options.runs)]
    table = report(cold, warm, dropped)
    print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(table)
    sys.exit(median(measured.seconds for measured in warm) > LIMIT)


if __name__ == "__main__":
    main()
