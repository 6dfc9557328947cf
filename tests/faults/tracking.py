"""Runs told without training, and what a real MLflow store shows of a run.

A :class:`Story` writes the journal a worker would write, as far and as often interrupted as a test
wants, so that tests of the way to MLflow need no torch. Stores and servers are real.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from core import events as ev
from core.facts import DataFacts
from core.files import write_json
from core.journal import Journal, read
from core.locks import hostname, process_start
from core.plan.build import build_graph
from core.plan.tasks import Task
from core.runs import Run, State, create_run
from core.sinks import target
from core.sinks.projection import Projection
from core.sinks.ui import command
from core.spec_load import parse_spec

SPEC: dict[str, Any] = {
    "name": "told",
    "data": {"name": "digits"},
    "model": {"name": "linear"},
    "subset": {"fraction": 0.2},
    "seeds": [0],
    "train": {"epochs": "4ep", "batch": 64},
    "score": {"name": "el2n", "preset": "ccs", "epoch": 0, "span": 2},
    "extrapolate": {"name": "knn"},
    "prune": {"rates": [0.5]},
    "baselines": ["random", "full"],
}
FACTS = DataFacts(1258, 539, 10, "ab" * 32)
STEPS, EPOCHS = 3, 4
START = 1_700_000_000.0


class Story:
    """One run, told task by task."""

    def __init__(self, runs: Path, uri: str | None = None, **changes: Any) -> None:
        spec = parse_spec({**SPEC, **changes, "tracking": {"uri": uri}})
        self.spec = spec
        self.run = create_run(runs, spec)
        self.tasks = build_graph([(spec, FACTS)]).tasks
        self.journal: Journal | None = None
        target.note_target(self.run, spec.tracking)

    def begin(self, pid: int | None = None) -> None:
        """A worker (this process, unless another is named) takes the run."""
        self.state("running", pid=pid)
        self.journal = Journal(self.run.journal)
        versions = {"python": "3.11.0", "torch": "2.0"}
        self.say(ev.RunStarted(self.run.id, self.spec.to_dict(), "here", "cpu", 1, versions))
        self.say(ev.Plan([task.to_dict() for task in self.tasks]))

    def say(self, event: ev.Event) -> None:
        assert self.journal is not None
        self.journal.append(event)

    def train(self, task: Task, first: int = 1, last: int = STEPS * EPOCHS) -> None:
        """The curve of the task from one step to another, a loss a step, an accuracy an epoch."""
        for step in range(first, last + 1):
            epoch, loss = step / STEPS, loss_at(task.id, step)
            self.say(ev.Points(task.id, "train/loss", [step], [epoch], [loss]))
            if step % STEPS == 0:
                self.say(ev.Points(task.id, "test/accuracy", [step], [epoch], [step / 100]))

    def do(self, task: Task) -> None:
        """A task from its start to its end."""
        self.say(ev.TaskStarted(task.id, task.stage, task.seed, trial_of(task)))
        if task.stage in ("score", "retrain"):
            self.train(task)
        if task.stage == "prune":
            kept = self.run.path / "kept"
            kept.mkdir(exist_ok=True)
            (kept / f"{trial_of(task)}.npy").write_bytes(task.id.encode())
        self.finish(task)

    def finish(self, task: Task) -> None:
        if task.stage == "extrapolate":
            self.say(ev.Extrapolated(task.seed, "el2n", "knn", {"k": 5}, 0.25, False))
            self.say(ev.Extrapolated(task.seed, "el2n", "knn", {"k": 10}, 0.5, True))
        cost = {"seconds": 2.0, "sample_passes": 10, "flops": 0, "peak_memory_bytes": 1}
        self.say(ev.TaskFinished(task.id, f"{task.stage}-key", False, cost))
        if task.stage == "retrain":
            self.say(ev.TrialFinished(trial_of(task) or "", {"test_accuracy": 0.75}))

    def end(self, status: str = "finished", reason: str | None = None) -> None:
        """The worker's last word; a finished run has a summary."""
        write_json(self.run.summary_file, summary_of(self, status))
        self.say(ev.RunFinished(status, reason))
        self.state(status, reason)
        assert self.journal is not None
        self.journal.close()

    def whole(self) -> Run:
        """All of it."""
        self.begin()
        for task in self.tasks:
            self.do(task)
        self.end()
        return self.run

    def die(self) -> None:
        """The worker is gone without a word."""
        assert self.journal is not None
        self.journal.close()
        state = State("running", None, 2**22 + 1, "0", hostname(), time.time())
        self.run.write_state(state)

    def state(self, status: str, reason: str | None = None, pid: int | None = None) -> None:
        pid = pid or os.getpid()
        start = process_start(pid)
        self.run.write_state(State(status, reason, pid, start, hostname(), time.time()))

    def task(self, start: str) -> Task:
        """The first task whose id begins so."""
        return next(t for t in self.tasks if t.id.startswith(start))


def loss_at(task: str, step: int) -> float:
    return 1.0 / step + len(task) / 1000


def trial_of(task: Task) -> str | None:
    return task.trial.id if task.trial else None


def summary_of(story: Story, status: str) -> dict[str, Any]:
    """The parts of a summary that tracking reads."""
    trials = [t.trial for t in story.tasks if t.stage == "retrain" and t.trial]
    return {
        "schema": 1, "run": story.run.id, "name": "told", "status": status, "seeds": [0],
        "data": {"name": "digits", "n_train": 1258, "n_test": 539, "classes": 10,
                 "fingerprint": FACTS.fingerprint},
        "trials": [
            {"id": t.id, "seed": t.seed, "method": t.method, "score": "el2n", "rate": t.rate,
             "n_kept": t.n_keep, "subset_share": 0.25 if t.policy else None,
             "kept_path": f"kept/{t.id}.npy" if t.policy else None}
            for t in trials
        ],
        "extrapolation": [
            {"seed": 0, "method": "knn", "score": "el2n", "heldout": {"spearman": 0.5},
             "reference": {"spearman": 0.125}},
        ],
        "tradeoff": [
            {"method": t.method, "policy": t.policy, "rate": t.rate, "metric": "test_accuracy",
             "mean": 0.75, "std": None, "n": 1} for t in trials
        ],
        "cost": {
            "full_training_seconds": 40.0, "break_even_rate": 0.3,
            "by_rate": [{"method": t.method, "policy": t.policy, "rate": t.rate, "saving": 0.6,
                         "saving_passes": 0.4, "loop_seconds": 16.0} for t in trials],
        },
        "mlflow": None,
    }  # fmt: skip


def wanted(run: Run) -> dict[str, Any]:
    """What the server should show of a run that is over, by node."""
    projection = Projection()
    projection.feed(read(run.journal))
    projection.worker_died()
    summary = run.summary()
    if summary is not None:
        projection.conclude(summary, lambda path: None)
    return {
        node.id: {
            "status": node.status,
            "params": node.params,
            "points": {k: [(p.step, repr(p.value)) for p in v] for k, v in node.metrics().items()},
        }
        for node in projection.nodes.values()
    }


def shown(uri: str, run: Run) -> dict[str, Any]:
    """What the server shows of a run, by node. Every stored point counts, doubles too."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(target.EXPERIMENT)
    found: dict[str, Any] = {}
    runs = client.search_runs([experiment.experiment_id], f"tags.run = '{run.id}'", max_results=999)
    for one in runs:
        tags = one.data.tags
        name = "run" if tags["kind"] == "run" else tags.get("trial", tags["task"])
        assert name not in found, f"{name} was made twice"
        found[name] = {
            "status": one.info.status,
            "params": one.data.params,
            "points": {
                key: [
                    (m.step, repr(m.value))
                    for m in sorted(
                        client.get_metric_history(one.info.run_id, key), key=lambda m: m.step
                    )
                ]
                for key in one.data.metrics
            },
        }
    return found


@contextmanager
def mlflow_server(database: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A real `mlflow server` on loopback, answering; killed at the end."""
    process = start_server(database, port)
    try:
        yield process
    finally:
        kill_server(process)


def start_server(database: Path, port: int) -> subprocess.Popen[bytes]:
    artifacts = (database.parent / "server-artifacts").as_uri()
    with open(database.parent / "server.log", "ab") as log:
        process = subprocess.Popen(
            command(database, artifacts, port), stdout=log, stderr=log, start_new_session=True,
            cwd=database.parent, env={**os.environ, **target.mlflow_environment()},
        )  # fmt: skip
    wait_for(lambda: answers(port) or process.poll() is not None, 90)
    assert process.poll() is None, (database.parent / "server.log").read_text()
    return process


def kill_server(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of the server and all its processes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except (URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def shipper(runs: Path, *options: str, **env: str) -> subprocess.Popen[bytes]:
    """A shipper process of this test."""
    target.folder(runs).mkdir(parents=True, exist_ok=True)
    with open(target.folder(runs) / "shipper.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "core.sinks.shipper", str(runs), *options],
            stdout=log, stderr=log, env={**os.environ, **env}, cwd=target.folder(runs),
        )  # fmt: skip


def ship_once(runs: Path, **env: str) -> int:
    """Send what there is in a process of its own; its exit code."""
    return shipper(runs, "--once", **env).wait(120)


def end_shipper(runs: Path) -> None:
    """End the shipper that serves a folder, if one does."""
    from core.locks import holder
    from prunectl.tracking import shipping

    if shipping(runs):
        os.kill(int(holder(target.lock_file(runs))["pid"]), signal.SIGTERM)
        wait_for(lambda: not shipping(runs), 60)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come true")
        time.sleep(0.05)
