"""What a sweep's scheduler and the workers of its slots say to each other, and a worker's first
steps. Loads no torch: the scheduler imports it, workers load the rest by name.

A job holds all it needs (graph piece, facts, store keys of its inputs), so that it can be sent to
any machine that sees the same store.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from core.events import Event
from core.facts import DataFacts
from core.plan.tasks import Graph
from core.spec import Spec

Told = Literal["not", "in part", "whole"]


@dataclass(frozen=True)
class Slot:
    """A place where one task at a time is computed."""

    device: str
    index: int = 0
    threads: int = 1

    @property
    def name(self) -> str:
        """``cuda:0/1``, ``cpu/0``."""
        return f"{self.device}/{self.index}"


@dataclass(frozen=True)
class LookJob:
    """Prepare the data of these specs, see what devices there are, and refuse what can never
    work."""

    specs: Sequence[Spec]
    device: str


@dataclass(frozen=True)
class ReportJob:
    """Write the page of a sweep."""

    sweep: Path


@dataclass(frozen=True)
class TaskJob:
    """Reuse or run one task. ``keys`` are the store keys of what it needs, by task id."""

    graph: Graph
    task: str
    keys: Mapping[str, Sequence[str]]
    told: Told = "not"
    """How much of the task an earlier attempt has told the journal."""
    wait: bool = False
    """Wait when another process is computing the same; else come back at once."""


@dataclass(frozen=True)
class CellJob:
    """Fill a cell's run folder from sealed outputs and the sweep's journal."""

    folder: Path
    spec: Spec
    facts: DataFacts
    keys: Mapping[str, Sequence[str]]
    """Store keys of what is finished, by the task ids the cell would have alone."""
    reused: Mapping[str, bool]
    names: Mapping[str, str]
    """Task ids the cell would have alone -> those in the sweep's journal."""
    journal: Path
    lines: Sequence[int]
    """Offsets of the lines of the sweep's journal that are about this cell, in order."""
    status: str
    reason: str | None
    what: str
    began: float


Job = LookJob | ReportJob | TaskJob | CellJob


@dataclass(frozen=True)
class Said:
    """An event of the task at work."""

    event: Event


@dataclass(frozen=True)
class Queued:
    """The worker waits for its device, behind this run."""

    behind: str


@dataclass(frozen=True)
class Ready:
    """The worker has its device."""

    pid: int


@dataclass(frozen=True)
class Done:
    """The job is done: its answer."""

    value: Any = None


@dataclass(frozen=True)
class Failed:
    """The job failed; the worker is gone or about to go."""

    kind: str
    what: str
    todo: str = ""
    exit_code: int = 1


@dataclass(frozen=True)
class Stopped:
    """The job was stopped where it can go on later."""


@dataclass(frozen=True)
class Busy:
    """Another process is computing what the task wants."""

    pid: int | None = None


@dataclass(frozen=True)
class Lost:
    """The worker died at the job, with this exit code (negative: the signal)."""

    code: int


Report = Said | Queued | Ready | Done | Failed | Stopped | Busy | Lost
ENDS = (Done, Failed, Stopped, Busy, Lost)


@dataclass(frozen=True)
class TaskDone:
    """Answer to a :class:`TaskJob`. ``unlabelled``: it was not done, because so many of its samples
    have no label."""

    keys: Sequence[str]
    reused: bool
    unlabelled: int = 0


@dataclass(frozen=True)
class Looked:
    """Answer to a :class:`LookJob`: facts by data section, devices."""

    facts: Mapping[str, DataFacts]
    devices: Sequence[str]


@dataclass(frozen=True)
class Setting:
    """What a worker is told when it begins. Without a slot it takes no device."""

    runs: Path
    run: str
    slot: Slot | None
    extra: Mapping[str, Any] = field(default_factory=dict)


def begin(setting: Setting, connection: Connection) -> None:
    """A worker's whole life, in a fork of a process that has loaded the engine and run none of
    it."""
    importlib.import_module("core.slot_jobs").serve(setting, connection)
