"""A sweep told without training, and what a real MLflow store shows of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from faults.tracking import EPOCHS, FACTS, SPEC, STEPS, loss_at

from core import events as ev
from core.files import write_atomic, write_json
from core.journal import Journal, read
from core.locks import hostname, process_start
from core.plan.tasks import Task
from core.plan.trials import trials
from core.planning import data_key, plan_cells
from core.runs import State
from core.sinks import target
from core.sinks.nodes import PARENT
from core.sinks.sweep_projection import SweepProjection
from core.sweep_spec import parse_sweep
from core.sweeps import Sweep, create_sweep

AXES = ("extrapolate.k=5,10", "prune.policy=top_k,class_balanced")


class SweepStory:
    """One sweep of four cells, told task by task."""

    def __init__(self, runs: Path, axes: tuple[str, ...] = AXES) -> None:
        self.spec = parse_sweep({**SPEC, "tracking": {"uri": None}}, (), axes)
        self.cells = self.spec.cells()
        self.plan = plan_cells(self.cells, {data_key(c.spec): FACTS for c in self.cells})
        self.tasks = self.plan.graph.tasks
        self.sweep = create_sweep(runs, self.spec, {})
        self.journal: Journal | None = None
        target.note_target(self.sweep, self.cells[0].spec.tracking)

    def begin(self) -> None:
        """A supervisor takes the sweep."""
        self._state("running", os.getpid())
        self.journal = Journal(self.sweep.journal)
        cells = [{"id": c.id, "settings": dict(c.settings)} for c in self.cells]
        versions = {"torch": "2.0", "git": "abc"}
        slots = [{"device": "cpu", "slot": 0, "threads": 1}]
        definition = self.spec.to_dict()
        self.say(ev.SweepStarted(self.sweep.id, definition, cells, "here", slots, versions))
        self.say(ev.Plan(self.plan.to_dicts()))

    def say(self, event: ev.Event, task: Task | None = None) -> None:
        assert self.journal is not None
        cells = [self.cells[c].id for c in task.cells] if task else []
        self.journal.append(event, cells=cells, task=task.id if task else None)

    def do(self, task: Task, first: int = 1) -> None:
        """A task from a step to its end."""
        trial = task.trial.id if task.trial else None
        self.say(ev.TaskStarted(task.id, task.stage, task.seed, trial), task)
        if task.stage in ("score", "retrain"):
            self.train(task, first)
        if task.stage == "extrapolate":
            self.say(ev.Extrapolated(task.seed, "el2n", "knn", {}, self.heldout(task), True), task)
        cost = {"seconds": 2.0, "sample_passes": 10, "flops": 0, "peak_memory_bytes": 1}
        self.say(ev.TaskFinished(task.id, f"{task.stage}-key", False, cost), task)
        if trial is not None and task.stage == "retrain":
            self.say(ev.TrialFinished(trial, {"test_accuracy": 0.75}), task)

    def heldout(self, task: Task) -> float:
        """Another correlation for every k."""
        return float(self.cells[task.cells[0]].settings["extrapolate.k"]) / 100

    def train(self, task: Task, first: int = 1, last: int = STEPS * EPOCHS) -> None:
        for step in range(first, last + 1):
            loss = loss_at(task.id, step)
            self.say(ev.Points(task.id, "train/loss", [step], [step / STEPS], [loss]), task)

    def end(self, status: str = "finished", failed: str | None = None) -> None:
        """The supervisor's last word; the cells have their folders."""
        for index, cell in enumerate(self.cells):
            if cell.id == failed:
                self.say(ev.CellFinished(cell.id, "failed", "oom", "no room"))
                continue
            run = self.sweep.cell(cell.id)
            (run.path / "kept").mkdir(parents=True, exist_ok=True)
            write_atomic(run.spec_file, cell.spec.to_yaml().encode())
            write_json(run.summary_file, self._summary(index))
            self.say(ev.CellFinished(cell.id, "finished"))
        self.say(ev.RunFinished(status, None if status == "finished" else status))
        self._state(status, None)
        assert self.journal is not None
        self.journal.close()

    def whole(self) -> None:
        self.begin()
        for task in self.tasks:
            self.do(task)
        self.end()

    def die(self) -> None:
        """The supervisor is gone without a word."""
        assert self.journal is not None
        self.journal.close()
        state = State("running", None, 2**22 + 1, "0", hostname(), time.time())
        self.sweep.write_state(state)

    def task(self, start: str) -> Task:
        """The first task whose id begins so."""
        return next(t for t in self.tasks if t.id.startswith(start))

    def _summary(self, index: int) -> dict[str, Any]:
        spec = self.cells[index].spec
        rows = []
        for trial in trials(spec, FACTS, 0):
            path = f"kept/{trial.id}.npy" if trial.policy else None
            if path:
                file = self.sweep.cell(self.cells[index].id).path / path
                file.write_bytes(trial.id.encode())
            rows.append(
                {"id": trial.id, "seed": 0, "method": trial.method, "score": "el2n",
                 "policy": trial.policy, "rate": trial.rate, "n_kept": trial.n_keep,
                 "subset_share": 0.25, "kept_path": path}
            )  # fmt: skip
        place = {"method": "knn", "policy": spec.prune.policy, "rate": 0.5}
        return {
            "schema": 1, "run": self.cells[index].id, "name": "told", "status": "finished",
            "seeds": [0], "mlflow": None, "trials": rows,
            "data": {"name": "digits", "n_train": 1258, "n_test": 539, "classes": 10,
                     "fingerprint": FACTS.fingerprint},
            "extrapolation": [{"seed": 0, "method": "knn", "score": "el2n",
                               "heldout": {"spearman": 0.5}, "reference": {"spearman": 0.125}}],
            "tradeoff": [{**place, "metric": "test_accuracy", "mean": 0.75, "std": None, "n": 1}],
            "cost": {"full_training_seconds": 40.0, "break_even_rate": 0.3,
                     "by_rate": [{**place, "saving": 0.5 + index / 10}]},
        }  # fmt: skip

    def _state(self, status: str, pid: int | None) -> None:
        start = process_start(pid) if pid else None
        self.sweep.write_state(State(status, None, pid, start, hostname(), time.time()))


def projected(sweep: Sweep) -> SweepProjection:
    """What the journal and the cells' summaries say should be on the server."""
    found = SweepProjection()
    found.feed(read(sweep.journal))
    found.worker_died()
    cells = {run.path.name: run.summary() or {} for run in sweep.ended_cells()}
    found.conclude_cells(cells, lambda cell, path: None)
    return found


def wanted_of(sweep: Sweep) -> dict[str, Any]:
    """The same, plainly, by task."""
    return {
        node.id if node.id == PARENT else node.tags["task"]: {
            "status": node.status,
            "params": node.params,
            "points": {k: [(p.step, repr(p.value)) for p in v] for k, v in node.metrics().items()},
        }
        for node in projected(sweep).nodes.values()
    }


def shown_of(uri: str, sweep: Sweep) -> dict[str, Any]:
    """What the server shows, by task. Every stored point counts, doubles too."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(target.EXPERIMENT)
    query = f"tags.sweep = '{sweep.id}'"
    found: dict[str, Any] = {}
    for one in client.search_runs([experiment.experiment_id], query, max_results=999):
        name = one.data.tags.get("task", PARENT)
        assert name not in found, f"{name} was made twice"
        history = {key: client.get_metric_history(one.info.run_id, key) for key in one.data.metrics}
        found[name] = {
            "status": one.info.status,
            "params": one.data.params,
            "points": {
                key: [(m.step, repr(m.value)) for m in sorted(points, key=lambda m: m.step)]
                for key, points in history.items()
            },
        }
    return found
