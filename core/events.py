"""What a run says while it works. The loop, with each event in its place::

    RunStarted(run, spec, host, device, threads, versions)
    Plan(tasks)
    for task in the graph, in order:
        TaskStarted(task)                     # not for a reused task
        Resumed(task, step)                   # it goes on from a checkpoint; later points are void
        Progress* Points* Checkpoint*         # while it works
        Extrapolated*                         # one per candidate of the extrapolator
        TaskFinished(task, key, reused, cost) | TaskFailed(task, kind, what, todo)
        TrialFinished(trial, metrics)         # after a retraining
    RunFinished(status, reason)

A sweep says SweepStarted instead of RunStarted, has several tasks at work at a time, says
CellFinished after each cell, and RunFinished. Message may come anywhere. Events are frozen and
plain, so that a journal line is one of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True)
class Event:
    """Base of all events; ``type`` is the word in the journal."""

    type: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain fields, NaN and infinity as null (JSON has neither)."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain


@dataclass(frozen=True)
class RunStarted(Event):
    """A worker took the run. Repeated after every resume."""

    type: ClassVar[str] = "run_started"
    run: str
    spec: Mapping[str, Any]
    host: str
    device: str
    threads: int
    versions: Mapping[str, str]
    precision: str = "fp32"


@dataclass(frozen=True)
class SweepStarted(Event):
    """A supervisor took the sweep. Repeated after every resume.

    ``definition`` is what ``sweep.yaml`` says, ``cells`` is [{id, settings}] in order, ``slots`` is
    [{device, slot, threads}].
    """

    type: ClassVar[str] = "sweep_started"
    sweep: str
    definition: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]
    host: str
    slots: Sequence[Mapping[str, Any]]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class CellFinished(Event):
    """A cell of a sweep has its run folder: finished, failed or stopped; what was wrong, and the
    figures that people compare (null: not known)."""

    type: ClassVar[str] = "cell_finished"
    cell: str
    status: str
    reason: str | None = None
    what: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan(Event):
    """Every task: {task, stage, seed, trial, needs: [task], sample_passes}; of a sweep also
    {cells: [id]}."""

    type: ClassVar[str] = "plan"
    tasks: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TaskStarted(Event):
    """Work on a task begins."""

    type: ClassVar[str] = "task_started"
    task: str
    stage: str
    seed: int
    trial: str | None = None


@dataclass(frozen=True)
class Progress(Event):
    """How far a task is."""

    type: ClassVar[str] = "progress"
    task: str
    done: float
    total: float
    unit: str


@dataclass(frozen=True)
class Points(Event):
    """A piece of one series of one task: three lists of equal length."""

    type: ClassVar[str] = "points"
    task: str
    series: str
    step: Sequence[int]
    epoch: Sequence[float]
    value: Sequence[float | None]


@dataclass(frozen=True)
class Extrapolated(Event):
    """One candidate of an extrapolator on the held-out fold of the scored subset."""

    type: ClassVar[str] = "extrapolated"
    seed: int
    score: str
    method: str
    params: Mapping[str, Any]
    heldout: float | None
    chosen: bool


@dataclass(frozen=True)
class TaskFinished(Event):
    """Sealed, or found sealed (``reused``)."""

    type: ClassVar[str] = "task_finished"
    task: str
    key: str
    reused: bool
    cost: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskFailed(Event):
    """The task could not be done: the kind of failure, what happened, what to do."""

    type: ClassVar[str] = "task_failed"
    task: str
    kind: str
    what: str
    todo: str = ""


@dataclass(frozen=True)
class TrialFinished(Event):
    """A retraining's metrics (fractions 0..1)."""

    type: ClassVar[str] = "trial_finished"
    trial: str
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class Checkpoint(Event):
    """The task can go on from this step after a kill."""

    type: ClassVar[str] = "checkpoint"
    task: str
    step: int


@dataclass(frozen=True)
class Resumed(Event):
    """The task goes on after this step; its points beyond the step are void."""

    type: ClassVar[str] = "resumed"
    task: str
    step: int


@dataclass(frozen=True)
class Message(Event):
    """A line for the user; level is info, warning or error."""

    type: ClassVar[str] = "message"
    level: str
    text: str


@dataclass(frozen=True)
class RunFinished(Event):
    """The worker is done: finished, stopped or failed."""

    type: ClassVar[str] = "run_finished"
    status: str
    reason: str | None = None


TYPES: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        RunStarted, SweepStarted, CellFinished, Plan, TaskStarted, Progress, Points, Extrapolated,
        TaskFinished, TaskFailed, TrialFinished, Checkpoint, Resumed, Message, RunFinished,
    )
}  # fmt: skip


def from_dict(plain: Mapping[str, Any]) -> Event | None:
    """The event of a journal line, None when its type or shape is unknown (a newer writer, or a
    damaged line)."""
    kind = str(plain.get("type"))
    if kind not in TYPES:
        return None
    try:
        event = _adapter(kind).validate_python(plain)
    except ValidationError:
        return None
    if isinstance(event, Points) and not len(event.step) == len(event.epoch) == len(event.value):
        return None
    return event


@lru_cache
def _adapter(kind: str) -> TypeAdapter[Event]:
    return TypeAdapter(TYPES[kind])


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
