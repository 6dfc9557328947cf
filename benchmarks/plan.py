"""Planning 100,000 cells: ``python -m benchmarks.plan``.

Five axes of ten values over a spec with one seed and one rate; from the definition to the graph, in
a process of its own, whose peak memory is measured. The naive side reads every cell's spec whole;
it is timed on a part of the cells and scaled.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.conditions import Others, machine, wait_for_quiet
from core.facts import DataFacts
from core.planning import data_key, plan_cells
from core.spec_load import parse_spec
from core.spec_set import assigned
from core.sweep_spec import SweepSpec, parse_sweep

RESULT = Path(__file__).parent / "results" / "plan.md"
LIMIT_S, LIMIT_BYTES = 10.0, 1e9
NAIVE_CELLS = 1000
FACTS = DataFacts(50_000, 10_000, 10, "f", 50_000)
SPEC: dict[str, Any] = {
    "name": "many", "data": {"name": "digits"}, "model": {"name": "linear"}, "seeds": [0],
    "subset": {"fraction": 0.2}, "train": {"epochs": "12ep"},
    "score": {"name": "dynamic_uncertainty", "preset": "legacy_se", "window": {"length": 5}},
    "prune": {"rates": [0.5]}, "baselines": ["random"],
}  # fmt: skip


def definition(values: int) -> SweepSpec:
    """Five axes of so many values."""
    axes = {
        "extrapolate.k": list(range(5, 5 + values)),
        "train.batch": [32 + 8 * i for i in range(values)],
        "retrain.batch": [32 + 8 * i for i in range(values)],
        "subset.fraction": [0.1 + 0.01 * i for i in range(values)],
        "data.seed": list(range(values)),
    }
    return parse_sweep({**SPEC, "sweep": {"axes": axes}})


def measure(values: int) -> dict[str, float]:
    """Seconds to read the cells and to plan them, CPU seconds, peak memory, number of tasks."""
    start, busy = time.perf_counter(), time.process_time()
    cells = definition(values).cells()
    read = time.perf_counter() - start
    plan = plan_cells(
        cells, {data_key(spec): FACTS for spec in {id(c.spec.data): c.spec for c in cells}.values()}
    )
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "cells": len(cells), "read": read, "seconds": seconds, "cpu": busy,
        "bytes": peak,
        "tasks": len(plan.graph.tasks),
    }  # fmt: skip


def naive(values: int) -> float:
    """Seconds for all cells when each is read whole."""
    sweep = definition(values)
    start, done = time.perf_counter(), 0
    for done, settings in enumerate(sweep.settings(), 1):
        parse_spec(assigned(sweep.base, settings))
        if done == NAIVE_CELLS:
            break
    return (time.perf_counter() - start) / done * sweep.count


def main() -> int:
    """Measure, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=10, help="values an axis; 10 counts")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(measure(given.values)))
        return 0
    if given.values == 10:
        wait_for_quiet()
    command = [sys.executable, "-m", "benchmarks.plan", "--inside", "--values", str(given.values)]
    with Others() as others:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    slow = naive(given.values)
    holds = found["seconds"] <= LIMIT_S and found["bytes"] <= LIMIT_BYTES
    text = "\n".join(
        [
            "# Planning very many cells",
            "",
            f"`python -m benchmarks.plan`: {found['cells']:,} cells, {found['tasks']:,} distinct "
            f"tasks. {machine('pydantic')}; others took {others.share:.1%}.",
            "",
            f"**{found['seconds']:.1f} s (limit {LIMIT_S:.0f} s), {found['bytes'] / 1e6:,.0f} MB "
            f"(limit {LIMIT_BYTES / 1e6:,.0f} MB): {'holds' if holds else 'misses it'}.** Of it "
            f"{found['read']:.1f} s for the cells' specs; each read whole would take {slow:.0f} s. "
            f"CPU time of the process {found['cpu']:.1f} s (process_time).",
            "",
        ]
    )
    print(text)
    if given.values == 10:
        RESULT.write_text(text, encoding="utf-8")
    return int(not holds or slow <= LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
