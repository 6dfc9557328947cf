"""Runs for the console's benchmark: many, long, large, and live ones."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np

from core import events as ev
from core.journal import Journal
from core.locks import hostname, process_start
from core.runs import Run, State

RECORDED = Path(__file__).resolve().parent.parent / "tests" / "journals" / "finished"
_PARTS = ("spec.yaml", "events.jsonl", "state.json", "summary.json")


def make_runs(folder: Path, count: int) -> None:
    """Copies of a recorded run."""
    for number in range(count):
        run = folder / f"{number:04d}-recorded"
        run.mkdir(parents=True)
        for name in _PARTS:
            shutil.copy(RECORDED / name, run / name)


def make_large(run: Path, samples: int) -> None:
    """The recorded run as if it had this many samples: scores with paths, kept sets."""
    import pyarrow as pa  # here, so that it does not count in the memory of what is measured
    import pyarrow.parquet as pq

    run.mkdir(parents=True)
    for name in _PARTS:
        shutil.copy(RECORDED / name, run / name)
    (run / "kept").mkdir()
    (run / "scores").mkdir()
    rng = np.random.default_rng(0)
    for file in (RECORDED / "kept").glob("*.npy"):
        kept = round(samples * (1 - float(file.stem.rpartition("-r")[2])))
        np.save(run / "kept" / file.name, np.sort(rng.permutation(samples)[:kept]))
    measured = rng.random(samples, dtype=np.float32)
    predicted = (measured + rng.normal(0, 0.2, samples)).astype(np.float32)
    scored = rng.random(samples) < 0.2
    name = "dynamic_uncertainty"
    columns = {
        "id": np.arange(samples), "path": [f"train/class/{i:08d}.jpeg" for i in range(samples)],
        "source": np.where(scored, "scored", "extrapolated"),
        "label": rng.integers(0, 1000, samples), "heldout": scored & (rng.random(samples) < 0.2),
        name: np.where(scored, measured, predicted), f"{name}_predicted": predicted,
        f"{name}_std": np.abs(predicted) / 5, f"{name}_full": measured,
    }  # fmt: skip
    pq.write_table(pa.table(columns), run / "scores" / "seed-0.parquet")


def start_run(folder: Path) -> Journal:
    """A run that seems to be worked on by this process; its journal."""
    folder.mkdir(parents=True)
    shutil.copy(RECORDED / "spec.yaml", folder)
    journal = Journal(Run(folder).journal)
    with open(RECORDED / "events.jsonl", encoding="utf-8") as file:
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


def make_long(run: Path, points: int) -> Journal:
    """A run whose three curves have so many points together; its journal."""
    journal = start_run(run)
    for step in range(0, points // 3 + 1, 1000):
        add_points(journal, step, 1000)
    return journal


def stream(folder: Path, runs: int, seconds: float, points: int) -> None:
    """Write to some live runs four times a second; the first begins with so many points."""
    journals = [make_long(folder / "live0-run", points)]
    journals += [start_run(folder / f"live{n}-run") for n in range(1, runs)]
    end, step = time.monotonic() + seconds, points // 3 + 1001
    while time.monotonic() < end:
        for journal in journals:
            add_points(journal, step, 20)
        step += 20
        time.sleep(0.25)
