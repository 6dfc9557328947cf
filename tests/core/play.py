"""Runs a spec in this process, for tests that look at what it leaves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import events as ev
from core.artifacts import read_scores
from core.data.bank import Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.errors import Stopped
from core.pipeline import run_graph
from core.plan.build import build_graph
from core.plan.tasks import Graph
from core.runs import Run, create_run
from core.session import versions
from core.spec import Spec
from core.stages.base import Context
from core.store import Store
from core.summary import Summary
from core.training import devices
from core.work import facts_of


@dataclass
class Story:
    """One run, what it left, and what it said."""

    run: Run
    store: Store
    graph: Graph
    dataset: Dataset
    events: list[ev.Event]
    summary: dict[str, Any]

    def table(self, seed: int) -> dict[str, np.ndarray[Any, Any]]:
        return read_scores(self.run, seed)

    def agreement(self, seed: int, score: str) -> dict[str, Any]:
        rows = self.summary["extrapolation"]
        return next(r for r in rows if r["seed"] == seed and r["score"] == score)

    def trials(self, method: str) -> list[dict[str, Any]]:
        return [t for t in self.summary["trials"] if t["method"] == method]


@dataclass
class Player:
    """Runs specs one after the other in one runs folder."""

    runs: Path

    def play(self, spec: Spec, *, tasks: int | None = None) -> Story:
        """Run a spec in this process, or only its first tasks and then stop."""
        compute = devices.resolve(spec.compute)
        devices.apply(compute)
        dataset = prepare_dataset(spec.data, default_cache_root())
        graph = build_graph([(spec, facts_of(dataset))])
        run, store = create_run(self.runs, spec), Store(self.runs / "store")
        events: list[ev.Event] = []

        def stop() -> bool:
            done = sum(isinstance(e, ev.TaskFinished) for e in events)
            return tasks is not None and done >= tasks

        ctx = Context(graph, dataset, store, compute, events.append, stop)
        summary = Summary(ctx, run, versions())
        try:
            run_graph(ctx, summary.task_done)
            summary.write("finished", None)
        except Stopped:
            summary.write("stopped", "stopped")
        # NaN and Infinity are not JSON
        text = run.summary_file.read_text(encoding="utf-8")
        plain = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in the summary"))
        return Story(run, store, graph, dataset, events, plain)
