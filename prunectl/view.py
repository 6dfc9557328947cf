"""What a run looks like after some of its events: the one reducer of all front ends.

No clock, no file, no widget: the same records give the same view, so a finished run is shown by
replaying its journal and a live one by following it. The rules are those of the journal: a repeated
start begins a new session, points beyond a resumption are void.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from core import events as ev
from core.journal import Record
from core.replay import Curves, Series, add_points, drop_after

WAITING, RUNNING, DONE, REUSED, FAILED = "waiting", "running", "done", "reused", "failed"
ENDED = (DONE, REUSED)


@dataclass
class TaskView:
    """One task of the plan and how far it is. Times are the journal's clock, in seconds."""

    id: str
    stage: str
    seed: int
    trial: str | None = None
    needs: tuple[str, ...] = ()
    passes: int = 0
    status: str = WAITING
    done: float = 0.0
    total: float = 0.0
    unit: str = ""
    began: float | None = None
    ended: float | None = None
    began_at: float | None = 0.0
    """Share that was done already when this session took the task up; None: not known yet."""
    cost: Mapping[str, Any] = field(default_factory=dict)
    failure: ev.TaskFailed | None = None

    @property
    def share(self) -> float:
        """How much of it is done, 0..1."""
        if self.status in ENDED:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else 0.0


@dataclass(frozen=True)
class StageView:
    """All tasks of one stage together."""

    stage: str
    tasks: tuple[TaskView, ...]

    @property
    def total(self) -> int:
        """Number of tasks."""
        return len(self.tasks)

    @property
    def finished(self) -> int:
        """Number of tasks that are done or were found done."""
        return sum(t.status in ENDED for t in self.tasks)

    @property
    def reused(self) -> int:
        """Number of tasks that were found done."""
        return sum(t.status == REUSED for t in self.tasks)

    @property
    def running(self) -> TaskView | None:
        """The task that is being worked on."""
        return next((t for t in self.tasks if t.status == RUNNING), None)

    @property
    def failed(self) -> TaskView | None:
        """The first task that failed."""
        return next((t for t in self.tasks if t.status == FAILED), None)

    @property
    def share(self) -> float:
        """How much of the stage is done, 0..1: by sample passes, by tasks where it has none."""
        passes = sum(t.passes for t in self.tasks)
        if not passes:
            return sum(t.share for t in self.tasks) / max(self.total, 1)
        return sum(t.share * t.passes for t in self.tasks) / passes


@dataclass
class Marks:
    """Steps of a task, rising, and the journal's clock (s) when each was heard of."""

    step: list[int] = field(default_factory=list)
    ts: list[float] = field(default_factory=list)

    def add(self, step: int, ts: float) -> None:
        """Note a step; one that is not beyond the last says nothing new."""
        if not self.step or step > self.step[-1]:
            self.step.append(step)
            self.ts.append(ts)

    def truncate(self, step: int) -> None:
        """Forget what lies beyond ``step``."""
        keep = bisect_right(self.step, step)
        del self.step[keep:], self.ts[keep:]


@dataclass
class View:
    """A run as its journal tells it."""

    run: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    host: str = ""
    device: str = ""
    threads: int = 0
    precision: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    status: str = "queued"
    reason: str | None = None
    sessions: int = 0
    work_began: float | None = None
    """When this session's first task began: time in the queue is not counted."""
    last: float | None = None
    tasks: dict[str, TaskView] = field(default_factory=dict)
    preparing: ev.Progress | None = None
    """How far the data is, before there is a plan."""
    preparing_from: tuple[float, float] | None = None
    """When that was first said, and how much was done then."""
    curves: Curves = field(default_factory=dict)
    series: Callable[[], Series] = Series
    """What a curve is kept in: lists, or arrays for who shows very long ones."""
    marks: dict[str, Marks] = field(default_factory=dict)
    """By task, when it was known to be how far: what a time axis is made of."""
    extrapolated: list[ev.Extrapolated] = field(default_factory=list)
    metrics: dict[str, Mapping[str, float | None]] = field(default_factory=dict)
    messages: list[tuple[float, ev.Message]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """What went wrong in the last session, each once: ``what``, or ``what; todo``."""

    def stages(self) -> list[StageView]:
        """The stages in the order in which the plan first names them."""
        found: dict[str, list[TaskView]] = {}
        for task in self.tasks.values():
            found.setdefault(task.stage, []).append(task)
        return [StageView(stage, tuple(tasks)) for stage, tasks in found.items()]

    @property
    def running(self) -> TaskView | None:
        """The task that is being worked on."""
        return next((t for t in self.tasks.values() if t.status == RUNNING), None)

    @property
    def first_task_began(self) -> bool:
        """Whether anything was computed or found computed, in whatever session."""
        return any(t.status != WAITING or t.began is not None for t in self.tasks.values())

    @property
    def share(self) -> float:
        """How much of the whole run is done, 0..1, by sample passes."""
        total = sum(t.passes for t in self.tasks.values())
        done = sum(t.share * t.passes for t in self.tasks.values())
        return done / total if total else float(self.status == "finished")

    def latest(self, task: str, series: str) -> float | None:
        """The last value of a curve, None when it has none."""
        found = self.curves.get(task, {}).get(series)
        value = found.value[-1] if found and found.value else None
        return value if value == value else None  # a NaN is not equal to itself

    def epoch_of(self, task: TaskView) -> tuple[int, int] | None:
        """The epoch a training is in and their number; None where the recipe counts steps."""
        recipe = self.spec.get("retrain" if task.stage == "retrain" else "train") or {}
        length = str(recipe.get("epochs", ""))
        if not length.endswith("ep") or recipe.get("budget", "epochs") != "epochs":
            return None
        total = int(length.removesuffix("ep"))
        return min(int(task.share * total) + 1, total), total

    def seconds_left(self, now: float) -> float | None:
        """Time left at the speed of this session; None before there is one to judge by.

        Counts sample passes of work that was really done, so what was found in the store does not
        make the rest look fast.
        """
        worked, seconds, remaining = 0.0, 0.0, 0.0
        for task in self.tasks.values():
            if task.status in (DONE, RUNNING) and task.passes:
                here = _this_session(task, now)
                worked, seconds = worked + here[0], seconds + here[1]
            if task.status in (WAITING, RUNNING):
                remaining += (1.0 - task.share) * task.passes
        if worked <= 0 or seconds < 1.0:
            return None
        return remaining * seconds / worked


def _this_session(task: TaskView, now: float) -> tuple[float, float]:
    """Sample passes of a task done in this session, and the seconds they took."""
    if task.began is None or task.began_at is None:
        return 0.0, 0.0
    return (task.share - task.began_at) * task.passes, max((task.ended or now) - task.began, 0.0)


def apply(view: View, record: Record) -> None:
    """Bring the view up to one more record. Unknown events change nothing but the clock."""
    view.last = record.ts
    _on(record.event, view, record.ts)


@singledispatch
def _on(event: ev.Event, view: View, ts: float) -> None:
    """Events that change no view: checkpoints, and those of a newer writer."""


@_on.register
def _run_started(event: ev.RunStarted, view: View, ts: float) -> None:
    view.run, view.spec, view.host = event.run, event.spec, event.host
    view.device, view.threads, view.precision = event.device, event.threads, event.precision
    view.versions, view.status, view.reason = event.versions, "running", None
    view.sessions += 1
    view.work_began = None
    view.errors = []
    for task in view.tasks.values():
        if task.status in (RUNNING, FAILED):
            task.status, task.failure = WAITING, None
        task.began = None


@_on.register
def _plan(event: ev.Plan, view: View, ts: float) -> None:
    known, view.tasks, view.preparing = view.tasks, {}, None
    for plain in event.tasks:
        task = TaskView(
            str(plain["task"]), str(plain.get("stage", "")), int(plain.get("seed") or 0),
            plain.get("trial"), tuple(plain.get("needs") or ()),
            int(plain.get("sample_passes") or 0),
        )  # fmt: skip
        view.tasks[task.id] = known.get(task.id, task)


@_on.register
def _task_started(event: ev.TaskStarted, view: View, ts: float) -> None:
    task = view.tasks.setdefault(
        event.task, TaskView(event.task, event.stage, event.seed, event.trial)
    )
    _note_work(view, ts)
    task.status, task.began, task.ended = RUNNING, ts, None
    view.marks.setdefault(event.task, Marks()).add(0, ts)
    task.done, task.began_at, task.failure = 0.0, 0.0, None


@_on.register
def _resumed(event: ev.Resumed, view: View, ts: float) -> None:
    drop_after(view.curves, event)
    if marks := view.marks.get(event.task):
        marks.truncate(event.step)
    if task := view.tasks.get(event.task):
        task.began_at = None  # the next progress says where it goes on


@_on.register
def _progress(event: ev.Progress, view: View, ts: float) -> None:
    task = view.tasks.get(event.task)
    if task is None:
        if view.preparing is None or view.preparing.done > event.done:
            view.preparing_from = (ts, event.done)
        view.preparing = event
        return
    task.done, task.total, task.unit = event.done, event.total, event.unit
    if task.began_at is None:
        task.began_at = task.share


@_on.register
def _points(event: ev.Points, view: View, ts: float) -> None:
    add_points(view.curves, event, view.series)
    if event.step:
        view.marks.setdefault(event.task, Marks()).add(int(event.step[-1]), ts)


@_on.register
def _extrapolated(event: ev.Extrapolated, view: View, ts: float) -> None:
    about = (event.seed, event.score, event.method, event.params)
    for index, old in enumerate(view.extrapolated):  # a resumed run says it again
        if (old.seed, old.score, old.method, old.params) == about:
            view.extrapolated[index] = event
            return
    view.extrapolated.append(event)


@_on.register
def _task_finished(event: ev.TaskFinished, view: View, ts: float) -> None:
    task = view.tasks.setdefault(event.task, TaskView(event.task, event.task.split("-")[0], 0))
    _note_work(view, ts)
    if not (event.reused and task.status == DONE):  # done by an earlier session of this very run
        task.status = REUSED if event.reused else DONE
    task.cost, task.ended = event.cost, ts


def _note_work(view: View, ts: float) -> None:
    if view.work_began is None:
        view.work_began = ts


@_on.register
def _task_failed(event: ev.TaskFailed, view: View, ts: float) -> None:
    _note_error(view, f"{event.what}; {event.todo}" if event.todo else event.what)
    if task := view.tasks.get(event.task):
        task.status, task.failure, task.ended = FAILED, event, ts


@_on.register
def _trial_finished(event: ev.TrialFinished, view: View, ts: float) -> None:
    view.metrics[event.trial] = event.metrics


@_on.register
def _message(event: ev.Message, view: View, ts: float) -> None:
    view.messages.append((ts, event))
    if event.level == "error":
        _note_error(view, event.text)


def _note_error(view: View, text: str) -> None:
    if not any(text in known for known in view.errors):
        view.errors = [known for known in view.errors if known not in text] + [text]


@_on.register
def _run_finished(event: ev.RunFinished, view: View, ts: float) -> None:
    view.status, view.reason = event.status, event.reason
    for task in view.tasks.values():
        if task.status == RUNNING:
            task.status = WAITING
