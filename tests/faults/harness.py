"""Runs workers that die at a chosen event, without a hook in the product.

A child is forked from a process that has imported the engine, patches its own ``Session.emit`` and
kills itself with SIGKILL: nothing of the worker's can run after that, as with ``kill -9``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from core import events as ev
from core.files import read_json
from core.journal import read
from core.replay import reduce
from core.runs import Run, create_run, store_folder
from core.spec_load import parse_spec

SPEC: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digits", "test_fraction": 0.3},
    "model": {"name": "convnet", "width": 4},
    "subset": {"fraction": 0.1},
    "seeds": [0],
    "train": {"epochs": "4ep", "batch": 64, "augment": ["crop"]},
    "score": {
        "name": "dynamic_uncertainty",
        "window": {"length": 2},
        "record": "extra_forward",
    },
    "extrapolate": {"name": "knn"},
    "prune": {"rates": [0.5]},
    "baselines": ["random", "full"],
    "reference": "full",
    "compute": {"device": "cpu", "threads": 1, "checkpoint_every": "0s"},
    "tracking": {"enabled": False},
}

Match = Callable[[ev.Event], bool]


def make_run(folder: Path, **changes: Any) -> Run:
    """A new run of the tiny spec with some sections replaced."""
    return create_run(folder, parse_spec({**SPEC, **changes}))


def start(
    run: Run,
    die: Match | None = None,
    *,
    after: bool = False,
    first: Callable[[], None] | None = None,
    hold: tuple[Match, Path] | None = None,
) -> BaseProcess:
    """Start a worker on a run in a child process. It dies at the first event that ``die`` matches,
    before (or ``after``) writing it; ``first`` is called in the child; after an event that
    ``hold`` matches it waits until a file appears or a stop was noticed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["core.work", "core.extrapolators.knn"])
    child = context.Process(target=_child, args=(run.path, die, after, first, hold))
    child.start()
    return child


def finish(child: BaseProcess) -> int:
    """Wait for a worker; its exit code, -9 when it was killed."""
    child.join(120)
    if child.exitcode is None:
        child.kill()
        raise TimeoutError("the worker hangs")
    return child.exitcode


def work(
    run: Run,
    die: Match | None = None,
    *,
    after: bool = False,
    first: Callable[[], None] | None = None,
) -> int:
    """Work on a run in a child process to its end, see :func:`start`."""
    return finish(start(run, die, after=after, first=first))


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Poll until something is true; TimeoutError when it never is."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come true")
        time.sleep(0.02)


def _child(
    path: Path,
    die: Match | None,
    after: bool,
    first: Callable[[], None] | None,
    hold: tuple[Match, Path] | None,
) -> None:
    from core import session, worker

    if first is not None:
        first()
    write = session.Session.emit

    def emit(self: session.Session, event: ev.Event) -> None:
        deadly = die is not None and die(event)
        if deadly and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, event)
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if hold is not None and hold[0](event):
            wait_until(lambda: hold[1].exists() or self.stop.is_set())

    session.Session.emit = emit  # type: ignore[method-assign]  # this process only
    raise SystemExit(worker.main([str(path)]))


class Starts:
    """Matches the start of a stage."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def __call__(self, event: ev.Event) -> bool:
        return isinstance(event, ev.TaskStarted) and event.stage == self.stage


class Finishes:
    """Matches the end of a stage's first computed task."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def __call__(self, event: ev.Event) -> bool:
        return (
            isinstance(event, ev.TaskFinished)
            and event.task.startswith(self.stage)
            and not event.reused
        )


class Checkpoints:
    """Matches the first checkpoint of a stage beyond a step."""

    def __init__(self, stage: str, step: int) -> None:
        self.stage, self.step = stage, step

    def __call__(self, event: ev.Event) -> bool:
        return (
            isinstance(event, ev.Checkpoint)
            and event.task.startswith(self.stage)
            and event.step >= self.step
        )


def outcome(run: Run) -> dict[str, Any]:
    """Everything two equal runs must share, bit for bit: weights, scores, kept ids, predictions,
    the reduced journal."""
    found: dict[str, Any] = {"journal": reduce(read(run.journal))}
    store = store_folder(run.runs)
    for key in sorted(read_json(run.path / "refs.json")["keys"]):
        sealed = read_json(store / key / "sealed.json")
        found[key] = sealed["meta"].get("weights_sha256")
    for file in sorted([*run.path.glob("kept/*.npy"), *run.path.glob("predictions/*.npy")]):
        found[f"{file.parent.name}/{file.name}"] = np.load(file).tolist()
    for file in sorted(run.path.glob("scores/*.parquet")):
        found[file.name] = pq.read_table(file).to_pylist()
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equality in which NaN would differ from itself: nothing in an outcome may be NaN."""
    return one == other


def events_of(run: Run, kind: type[ev.Event]) -> list[Any]:
    """All events of a kind in the run's journal."""
    return [r.event for r in read(run.journal) if isinstance(r.event, kind)]
