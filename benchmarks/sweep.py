"""A sweep against its cells run one after another: ``python -m benchmarks.sweep``.

The quickstart with two seeds, five rates, two extrapolator settings, three policies. What must be
trained once is counted from the ledgers and the kept sets, not believed: two scoring runs, two
references, every distinct kept set once. The whole command may take at most 1.1 times the larger of
the critical path and the unique tasks' time over the slots, and five seconds. The naive side runs
the cells as runs of their own, each into a fresh folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.conditions import machine, wait_for_quiet
from core import events as ev
from core.journal import read
from core.sweeps import Sweep, list_sweeps

RESULT = Path(__file__).parent / "results" / "sweep.md"
PRUNECTL = str(Path(sys.executable).with_name("prunectl"))
AXES = {"extrapolate.k": [5, 50], "prune.policy": ["top_k", "class_balanced", "random"]}
RATES = [0.1, 0.3, 0.5, 0.7, 0.8]
SEEDS = [0, 1]
FACTOR, EXTRA = 1.1, 5.0


@dataclass(frozen=True)
class Counted:
    """What a sweep trained: scoring runs, references, retrainings, and distinct kept sets."""

    scoring: int
    references: int
    retrainings: int
    kept_sets: int

    @property
    def right(self) -> bool:
        """Whether nothing was trained twice and nothing left out."""
        wanted = (len(SEEDS), len(SEEDS), self.kept_sets)
        return (self.scoring, self.references, self.retrainings) == wanted


@dataclass(frozen=True)
class Measured:
    """One sweep: seconds of the command, its critical path, its tasks, its slots."""

    seconds: float
    path: float
    tasks: float
    slots: int
    counted: Counted

    @property
    def limit(self) -> float:
        return FACTOR * max(self.path, self.tasks / self.slots) + EXTRA


def settings(epochs: str | None) -> list[str]:
    """``--set`` arguments of both sides."""
    texts = [f"seeds={SEEDS}", f"prune.rates={RATES}", "tracking.enabled=false"]
    texts += [f"train.epochs={epochs}", f"retrain.epochs={epochs}"] if epochs else []
    return [part for text in texts for part in ("--set", text)]


def call(arguments: Sequence[str], runs: Path, data: Path) -> float:
    """Seconds of a command; its output goes nowhere unless it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        [PRUNECTL, *arguments, "--runs-dir", str(runs)],
        env={**os.environ, "PRUNECTL_DATA": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}:\n{done.stdout}")
    return time.perf_counter() - start


def sweep(folder: Path, data: Path, epochs: str | None) -> Measured:
    """The sweep, whole command, into a fresh runs folder."""
    axes = [f"{key}={','.join(map(str, values))}" for key, values in AXES.items()]
    arguments = ["sweep", "quickstart", *settings(epochs), "--yes"]
    arguments += [part for axis in axes for part in ("--axis", axis)]
    seconds = call(arguments, folder, data)
    made = list_sweeps(folder)[0]
    path, tasks, slots = times(made)
    return Measured(seconds, path, tasks, slots, count(made))


def times(made: Sweep) -> tuple[float, float, int]:
    """Critical path and sum of the tasks, by the journal's clock; number of slots."""
    needs: dict[str, Sequence[str]] = {}
    begun: dict[str, float] = {}
    took: dict[str, float] = {}
    slots = 1
    for record in read(made.journal):
        event = record.event
        if isinstance(event, ev.SweepStarted):
            slots = len(event.slots)
        elif isinstance(event, ev.Plan):
            needs = {str(t["task"]): t["needs"] for t in event.tasks}
        elif isinstance(event, ev.TaskStarted):
            begun[event.task] = record.ts
        elif isinstance(event, ev.TaskFinished) and not event.reused:
            took[event.task] = record.ts - begun[event.task]
    return longest(needs, took), sum(took.values()), slots


def longest(needs: Mapping[str, Sequence[str]], took: Mapping[str, float]) -> float:
    """Seconds of the heaviest chain; tasks come after what they need."""
    until: dict[str, float] = {}
    for task, before in needs.items():
        until[task] = max((until[n] for n in before), default=0.0) + took.get(task, 0.0)
    return max(until.values(), default=0.0)


def count(made: Sweep) -> Counted:
    """From the ledger of what was computed, and from the cells' own kept ids."""
    keys = [
        r.event.key
        for r in read(made.journal)
        if isinstance(r.event, ev.TaskFinished) and not r.event.reused
    ]
    nets = [json.loads((made.runs / "store" / k / "sealed.json").read_text()) for k in keys]
    roles = [n["parts"].get("role") for n in nets]
    kept = {(str(seed), "full") for seed in SEEDS}
    for file in made.path.glob("cells/*/kept/*.npy"):
        kept.add((file.name.split("-")[0], hashlib.sha256(file.read_bytes()).hexdigest()))
    return Counted(
        roles.count("scoring"), roles.count("reference"), roles.count("retraining"), len(kept)
    )


def naive(folder: Path, data: Path, epochs: str | None) -> float:
    """Seconds of all cells run alone, one after another, each into a folder of its own."""
    total = 0.0
    for k in AXES["extrapolate.k"]:
        for policy in AXES["prune.policy"]:
            own = ["--set", f"extrapolate.k={k}", "--set", f"prune.policy={policy}"]
            arguments = ["run", "quickstart", *settings(epochs), *own]
            total += call(arguments, folder / f"{k}-{policy}", data)
    return total


def report(measured: Measured, alone: float | None) -> str:
    """The table as Markdown."""
    holds = measured.seconds <= measured.limit
    counted = measured.counted
    right = "right" if counted.right else "WRONG"
    lines = [
        "# A sweep against its cells run alone",
        "",
        f"`python -m benchmarks.sweep`: quickstart, {len(SEEDS)} seeds, {len(RATES)} rates, 2 "
        f"extrapolator settings x 3 policies. {machine('torch', 'numpy')}.",
        "",
        f"**{measured.seconds:.1f} s; limit {measured.limit:.1f} s: "
        f"{'holds' if holds else 'misses it'}.**",
        "",
        "| what | number |",
        "|---|---|",
        f"| scoring runs, references, retrainings | {counted.scoring}, {counted.references}, "
        f"{counted.retrainings} |",
        f"| distinct kept sets, with all data once a seed | {counted.kept_sets} ({right}) |",
        f"| unique tasks | {measured.tasks:.1f} s on {measured.slots} slots |",
        f"| critical path | {measured.path:.1f} s |",
    ]
    if alone is not None:
        lines.append(
            f"| cells run alone, one after another | {alone:.1f} s, "
            f"{alone / measured.seconds:.1f} times as long |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Measure, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", help="such as 3ep, for a quick try; nothing is written")
    parser.add_argument("--no-naive", action="store_true", help="only the sweep")
    given = parser.parse_args()
    wait_for_quiet(5.0 if given.epochs else 300.0)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        base = Path(folder)
        measured = sweep(base / "sweep", base / "data", given.epochs)
        alone = None if given.no_naive else naive(base / "alone", base / "data", given.epochs)
    text = report(measured, alone)
    print(text)
    if not given.epochs:
        RESULT.write_text(text, encoding="utf-8")
    kept = alone is not None and alone <= measured.limit
    if kept:
        print("the naive side keeps the number too, so it guards nothing")
    return int(measured.seconds > measured.limit or not measured.counted.right or kept)


if __name__ == "__main__":
    sys.exit(main())
