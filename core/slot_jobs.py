"""A slot's worker: does one job after another and tells its scheduler, until that is gone.

Forked from a process that has imported this module but never ran torch nor touched CUDA. It holds
its device's slot as long as it lives. After a failure it ends, so that no damage outlives a task.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import torch

from core import cell_files, slots
from core import events as ev
from core.data.bank import Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.errors import PrunectlError, RunFailure, Stopped
from core.leases import lease
from core.pipeline import run_task, without_label
from core.plan.build import build_graph
from core.plan.tasks import Task
from core.planning import data_key
from core.runs import store_folder
from core.spec import Spec
from core.stages.base import Context
from core.stages.prune import refuse_impossible
from core.store import Store
from core.sweeps import Sweep
from core.training import devices
from core.work import facts_of

GRACE_SECONDS = 20.0
"""A worker whose scheduler is gone has this long to write a checkpoint."""


class _Busy(Exception):
    """Another process is computing it."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(str(pid))
        self.pid = pid


def serve(setting: slots.Setting, connection: Connection) -> None:
    """Take the slot, then do what comes over the connection until it closes."""
    worker = _Worker(setting, connection)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _offer_to_the_oom_killer()
    threading.Thread(target=worker.listen, name="listen", daemon=True).start()
    try:
        if setting.slot is None:
            worker.work()
            return
        with lease(
            setting.slot.device, setting.run, worker.queued, worker.check, setting.slot.index
        ):
            worker.work()
    except (Stopped, BrokenPipeError, ConnectionError):
        return


class _Worker:
    """One process: its connection, its flag, and what is worth keeping between jobs."""

    def __init__(self, setting: slots.Setting, connection: Connection) -> None:
        self.setting, self.connection = setting, connection
        self.stop = threading.Event()
        self.jobs: queue.SimpleQueue[slots.Job | None] = queue.SimpleQueue()
        self.store = Store(store_folder(setting.runs), self._warn)
        self._data: dict[str, Dataset] = {}
        self._feeds: tuple[Any, dict[str, Any]] = (None, {})

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop at the next safe place and go."""
        self.stop.set()
        self.jobs.put(None)

    def listen(self) -> None:
        """In a thread: jobs, a wish to stop, the end of the scheduler."""
        while True:
            try:
                said = self.connection.recv()
            except (EOFError, OSError):
                break
            if said == "stop":
                self.stop.set()
            else:
                self.jobs.put(said)
        self.stop.set()
        self.jobs.put(None)
        threading.Event().wait(GRACE_SECONDS)
        os._exit(1)

    def queued(self, holder: Mapping[str, Any]) -> None:
        """Say behind whom the device is waited for."""
        self.say(slots.Queued(str(holder.get("run", "another process"))))

    def check(self) -> None:
        """Stopped when the scheduler wants it or is gone."""
        if self.stop.is_set():
            raise Stopped("stopped")

    def say(self, report: slots.Report) -> None:
        """Tell the scheduler."""
        self.connection.send(report)

    def work(self) -> None:
        """Jobs one after another; the first failure is the last job."""
        self.say(slots.Ready(os.getpid()))
        while (job := self.jobs.get()) is not None:
            end = self._ended(job)
            self.say(end)
            if isinstance(end, slots.Failed) or self.stop.is_set():
                return

    def _ended(self, job: slots.Job) -> slots.Report:
        try:
            return slots.Done(self._do(job))
        except Stopped:
            return slots.Stopped()
        except _Busy as busy:
            return slots.Busy(busy.pid)
        except ConnectionError:
            raise
        except PrunectlError as error:
            if error.__cause__ is not None:
                traceback.print_exception(error.__cause__)
            return slots.Failed(error.kind, error.what, error.todo, error.exit_code)
        except Exception as error:
            traceback.print_exc()
            failure = RunFailure(f"{type(error).__name__}: {error}", "worker.log has the traceback")
            return slots.Failed(failure.kind, failure.what, failure.todo)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    def _do(self, job: slots.Job) -> Any:
        if isinstance(job, slots.LookJob):
            return self._look(job)
        if isinstance(job, slots.ReportJob):
            return self._report(job)
        if isinstance(job, slots.CellJob):
            data = self._data_of(job.spec)
            return cell_files.fill(job, data, self.store, self._use(job.spec), self._emit)
        return self._task(job)

    def _look(self, job: slots.LookJob) -> slots.Looked:
        facts = {data_key(spec): facts_of(self._data_of(spec)) for spec in job.specs}
        for spec in job.specs:  # one by one: the first that cannot work says so before any trains
            refuse_impossible(build_graph([(spec, facts[data_key(spec)])]))
        if job.device != "auto":
            compute = job.specs[0].compute.model_copy(update={"device": job.device})
            return slots.Looked(facts, [str(devices.resolve(compute).device)])
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count:
            return slots.Looked(facts, [f"cuda:{index}" for index in range(count)])
        return slots.Looked(facts, [str(devices.resolve(job.specs[0].compute).device)])

    def _report(self, job: slots.ReportJob) -> None:
        from core.report.many.page import write_sweep

        write_sweep(Sweep(job.sweep), None)

    def _task(self, job: slots.TaskJob) -> slots.TaskDone:
        task, spec = job.graph[job.task], job.graph.specs[0]
        this = frozenset({job.task})
        compute = self._use(spec)
        ctx = Context(
            job.graph, self._data_of(spec), self.store, compute, self._emit, self.stop.is_set,
            keys={name: list(keys) for name, keys in job.keys.items()},
            started_before=this if job.told == "whole" else frozenset(),
            told_in_part=this if job.told == "in part" else frozenset(),
            on_wait=None if job.wait else _go_elsewhere,
            _feeds=self._feeds_of(spec, compute),
        )  # fmt: skip
        ctx.check()
        if missing := without_label(task, ctx):
            return slots.TaskDone((), False, missing)
        reused = run_task(task, ctx)
        return slots.TaskDone(ctx.keys[job.task], reused)

    def _emit(self, event: ev.Event) -> None:
        self.say(slots.Said(event))

    def _warn(self, text: str) -> None:
        self._emit(ev.Message("warning", text))

    def _use(self, spec: Spec) -> devices.Compute:
        """This process set up for a spec on this slot."""
        slot = self.setting.slot
        assert slot is not None
        wanted = spec.compute.model_copy(update={"device": slot.device, "threads": slot.threads})
        compute = devices.resolve(wanted)
        devices.apply(compute)
        return compute

    def _data_of(self, spec: Spec) -> Dataset:
        key = data_key(spec)
        if key not in self._data:
            self._data[key] = prepare_dataset(
                spec.data, default_cache_root(), self._preparing, self.check
            )
        return self._data[key]

    def _preparing(self, done: int, total: int) -> None:
        if done == total:
            self._emit(ev.Progress("data", done, total, "samples"))

    def _feeds_of(self, spec: Spec, compute: devices.Compute) -> dict[str, Any]:
        """The samples on the device, kept from task to task while the data are the same."""
        wanted = (data_key(spec), compute)
        if self._feeds[0] != wanted:
            self._feeds = (wanted, {})
        return self._feeds[1]


def _offer_to_the_oom_killer() -> None:
    """When memory runs out, a worker goes before its scheduler, which starts another."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")


def _go_elsewhere(task: Task, holder: Mapping[str, Any]) -> None:
    pid = holder.get("pid")
    raise _Busy(pid if isinstance(pid, int) else None)
