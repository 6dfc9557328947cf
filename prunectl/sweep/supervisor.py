"""One process on one sweep: takes it, keeps its slots busy, tells what happens, leaves it tidy.

What fails in a task stays in that task's cells. The journal is written by this process alone; a
kill at any moment costs at most the work since the last checkpoints.
"""

from __future__ import annotations

import itertools
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from core import events as ev
from core import slots
from core.errors import CellsFailed, NeedsLabels, RunFailure, Stopped
from core.locks import hostname
from core.plan.tasks import Task
from core.planning import SweepPlan, plan_cells
from core.session import versions
from core.sinks.start import track
from core.sweep_spec import Cell, SweepSpec
from core.sweeps import Sweep
from prunectl import words
from prunectl.sweep.endings import Ending, Endings
from prunectl.sweep.executor import Executor
from prunectl.sweep.failures import death, error_of
from prunectl.sweep.local import LocalExecutor
from prunectl.sweep.looking import look, slots_for
from prunectl.sweep.options import Options
from prunectl.sweep.schedule import Schedule
from prunectl.sweep.supervision import Supervision

_POLL_SECONDS = 0.2
_TRIES = 3
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDED = ("finished", "failed", "stopped")
"""A cell is stopped when all of it is done that can be without labels."""


class Supervisor:
    """The work of one session on a sweep."""

    def __init__(self, session: Supervision, spec: SweepSpec) -> None:
        self.session, self.spec = session, spec
        self.ledger, self.options = session.ledger, session.options
        self.cells: tuple[Cell, ...] = spec.cells()
        self._keys: dict[str, Sequence[str]] = {}
        self._reused: dict[str, bool] = {}
        self._jobs: dict[int, Task | Ending] = {}
        self._begun: dict[int, float] = {}
        self._tries: Counter[str] = Counter()
        self._unlabelled: Counter[int] = Counter()
        self._numbers = itertools.count()
        self._said_behind: str | None = None
        self._waits: set[str] = set()
        self._overdue: set[str] = set()

    def work(self) -> None:
        """Look, plan, compute until nothing is left. CellsFailed when some cells failed."""
        closed = self._closed()
        if len(closed) < len(self.cells):
            self._compute(closed)
        self._conclude()

    def _report(self, executor: Executor) -> None:
        """The page to send on. It never fails a sweep: what goes wrong with it is a warning."""
        report = executor.ask(slots.ReportJob(self.session.sweep.path))
        if isinstance(report, slots.Failed):
            why = error_of(report)
        elif isinstance(report, slots.Lost):
            why = RunFailure(f"its process {death(report.code)}")
        else:
            return
        self.session.emit(ev.Message("warning", f"no report was written: {why}"))

    def _compute(self, closed: set[int]) -> None:
        executor = self._executor()
        self.session.executor = executor
        try:
            looked = look(executor, self.session, self.cells)
            self.plan: SweepPlan = plan_cells(self.cells, looked.facts)
            places = slots_for(looked.devices, self.session, self.cells)
            self._announce(places)
            track(self.session, self.cells[0].spec.tracking)
            weights = {task.id: _weight(task) for task in self.plan.graph.tasks}
            self.schedule = Schedule(self.plan.graph, weights, closed)
            self.endings = Endings(
                self.session.sweep, self.plan, looked.facts, self.ledger,
                lambda event, cells: self.session.tell(event, cells, None),
            )  # fmt: skip
            executor.open(places)
            self._loop(executor)
            self._report(executor)
        finally:
            executor.close()

    def _executor(self) -> Executor:
        sweep = self.session.sweep
        return LocalExecutor(sweep.runs, sweep.id)

    def _announce(self, places: Sequence[slots.Slot]) -> None:
        plain = [{"device": s.device, "slot": s.index, "threads": s.threads} for s in places]
        cells = [{"id": cell.id, "settings": dict(cell.settings)} for cell in self.cells]
        sweep = self.session.sweep
        self.session.emit(
            ev.SweepStarted(sweep.id, self.spec.to_dict(), cells, hostname(), plain, versions())
        )
        self.session.emit(ev.Plan(self.plan.to_dicts()))

    def _closed(self) -> set[int]:
        """Cells that ended in an earlier session and are not tried again."""
        found = set()
        for index, cell in enumerate(self.cells):
            ended = self.ledger.ended.get(cell.id)
            if ended is None:
                continue
            whole = self.session.sweep.cell(cell.id).summary_file.is_file()
            retry = ended.status == "failed" and self.options.retry_failed
            if ended.status in ENDED and whole and not retry:
                found.add(index)
        return found

    def _loop(self, executor: Executor) -> None:
        asked_to_stop = False
        while True:
            if self.session.stop.is_set() and not asked_to_stop:
                asked_to_stop = True
                executor.stop()
            if not self._stopping():
                self._start_jobs(executor)
            if not self._jobs and (self._stopping() or not self._anything_left()):
                break
            for number, report in executor.poll(_POLL_SECONDS):
                self._hear(number, report)
            self._say_status(executor)
            self._cut_hanging(executor)
        if self._stopping() and self._anything_left() and not self._too_many_failed():
            raise Stopped("stopped")

    def _stopping(self) -> bool:
        session = self.session
        return session.stop.is_set() or session.finish_only or self._too_many_failed()

    def _too_many_failed(self) -> bool:
        limit = self.options.max_failures
        return limit is not None and len(self._failed_now()) >= limit

    def _failed_now(self) -> list[ev.CellFinished]:
        return [ended for ended in self.ledger.ended.values() if ended.status == "failed"]

    def _anything_left(self) -> bool:
        return bool(self.schedule.tasks_left or len(self.endings))

    def _start_jobs(self, executor: Executor) -> None:
        while executor.free():
            ending = self.endings.next()
            if ending is not None:
                self._submit(executor, ending, self.endings.job(ending, self._keys, self._reused))
                continue
            task = self.schedule.next()
            if task is None:
                # Everything waits for what another process computes: so do we.
                if self._jobs or not self.schedule.unpark_one():
                    return
                task = self.schedule.next()
                if task is None:
                    return
                self._waits.add(task.id)
            self._submit(executor, task, self._task_job(task))

    def _submit(self, executor: Executor, what: Task | Ending, job: slots.Job) -> None:
        number = next(self._numbers)
        self._jobs[number] = what
        self._begun[number] = time.monotonic()
        executor.submit(number, job)

    def _task_job(self, task: Task) -> slots.TaskJob:
        piece, told = self.plan.piece(task), self.ledger.told(task.id)
        keys = {need.id: self._keys[need.id] for need in piece.tasks if need.id != task.id}
        return slots.TaskJob(piece, task.id, keys, told, task.id in self._waits)

    def _hear(self, number: int, report: slots.Report) -> None:
        what = self._jobs[number]
        if isinstance(report, slots.Said):
            if isinstance(what, Task):
                self._say(what, report.event)
            else:
                self.session.emit(report.event)
            return
        del self._jobs[number], self._begun[number]
        if isinstance(what, Task):
            self._task_ended(what, report)
        else:
            self.endings.filled(what, report)

    def _say(self, task: Task, event: ev.Event) -> None:
        if isinstance(event, ev.Checkpoint):
            self._tries[task.id] = 0  # it comes forward, however often it is killed
        if isinstance(event, ev.Progress) and event.task != task.id:
            return  # data that another worker prepared
        self.session.tell(event, [self.cells[c].id for c in task.cells], task.id)

    def _task_ended(self, task: Task, report: slots.Report) -> None:
        if isinstance(report, slots.Done):
            self._done(task, report.value)
        elif isinstance(report, slots.Busy):
            self.schedule.park(task.id)
        elif isinstance(report, slots.Failed):
            self._failed(task, report)
        elif isinstance(report, slots.Lost):
            self._lost(task, report.code)
        else:
            self._interrupted(task, "was asked to stop")

    def _done(self, task: Task, done: slots.TaskDone) -> None:
        if done.unlabelled:
            for cell in task.cells:
                self._unlabelled[cell] += 1
        else:
            self._keys[task.id] = done.keys
            self._reused[task.id] = done.reused
        for cell in self.schedule.done(task.id):
            if count := self._unlabelled[cell]:
                what = f"{words.plural(count, 'retraining')} of it wait for labels"
                self.endings.add(Ending(cell, "stopped", NeedsLabels.kind, what))
            else:
                self.endings.add(Ending(cell, "finished"))

    def _lost(self, task: Task, code: int) -> None:
        if code == -signal.SIGKILL and task.id in self._overdue:
            limit = self.options.cell_timeout
            what = f"{task.id} took longer than the {limit:g} s that --cell-timeout allows"
            self._failed(task, slots.Failed("timeout", what, "allow more, then retry"))
        elif code in [-number for number in _FROM_OUTSIDE]:
            self._interrupted(task, death(code))
        else:
            what = f"the worker of {task.id} {death(code)}"
            self._failed(task, slots.Failed("crashed", what, "see worker.log"))

    def _interrupted(self, task: Task, how: str) -> None:
        """Not the task's fault, as far as one can know: it gets another worker."""
        self._tries[task.id] += 1
        if self._tries[task.id] >= _TRIES and not self._stopping():
            what = f"the worker of {task.id} {how}, {_TRIES} times"
            self._failed(task, slots.Failed("killed", what, "was memory short? see worker.log"))
            return
        self.schedule.again(task.id)

    def _failed(self, task: Task, failed: slots.Failed) -> None:
        event = ev.TaskFailed(task.id, failed.kind, failed.what, failed.todo)
        self.session.tell(event, [self.cells[c].id for c in task.cells], task.id)
        what = f"{failed.what}; {failed.todo}" if failed.todo else failed.what
        for index in self.schedule.fail(task.id):
            self.endings.add(Ending(index, "failed", failed.kind, what))

    def _say_status(self, executor: Executor) -> None:
        behind = executor.queued_behind()
        if behind != self._said_behind:
            self._said_behind = behind
            if behind is not None:
                self.session.emit(ev.Message("info", f"queued behind {behind}"))
        status = "queued" if behind else "running"
        if (self.session.status, self.session.behind) != (status, behind):
            self.session.set_status(status, behind)

    def _cut_hanging(self, executor: Executor) -> None:
        limit = self.options.cell_timeout
        if limit is None:
            return
        for number, begun in self._begun.items():
            task = self._jobs[number]
            if isinstance(task, Task) and time.monotonic() - begun > limit:
                self._overdue.add(task.id)
                executor.kill(number)

    def _conclude(self) -> None:
        failed = self._failed_now()
        if not failed:
            return
        total = len(self.cells)
        unfinished = total - sum(e.status == "finished" for e in self.ledger.ended.values())
        what = f"{len(failed)} of {total} cells failed"
        if unfinished > len(failed):
            what += f", {unfinished - len(failed)} were not begun (--max-failures)"
        todo = f"try them again with: prunectl resume {self.session.sweep.id} --retry-failed"
        raise CellsFailed(what, todo)


def _weight(task: Task) -> float:
    """About how long a task takes: sample passes, a forward pass being a third of a whole one."""
    return float(task.passes) / (3.0 if task.stage == "embed" else 1.0) + 1.0


def supervise(path: Path, options: Options) -> int:
    """Work on a sweep in this process; its exit code."""
    session = Supervision(Sweep(path), options)
    return session.run(lambda session, spec: Supervisor(session, spec).work())
