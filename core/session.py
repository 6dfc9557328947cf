"""One worker on one run: takes it, tells what it does, keeps its state true, leaves it tidy.

The session owns the run's lock, journal, heartbeat and stop flag; what is computed is the
pipeline's business.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

from core import events as ev
from core.errors import NeedsLabels, PrunectlError, RunFailure, Stopped, UserError
from core.files import disk_errors
from core.journal import Journal, Record, read
from core.locks import hostname, process_start, try_lock
from core.provenance import git_commit
from core.runs import Run, State
from core.spec import Spec
from core.spec_load import parse_spec, read_yaml

HEARTBEAT_SECONDS = 5.0
LOOK_SECONDS = 1.0
_PACKAGES = ("prunectl", "torch", "torchvision", "numpy", "scikit-learn", "faiss-cpu", "pyarrow")
_DURABLE = (ev.RunStarted, ev.TaskFinished, ev.Checkpoint, ev.RunFinished)


class Session:
    """A worker's hold on a run. Use :meth:`run` once."""

    def __init__(self, run: Run) -> None:
        self.run_folder = run
        self.stop = threading.Event()
        self.status = "queued"
        self.behind: str | None = None
        self.signal: int | None = None
        self.task: str | None = None
        self.step = 0
        self.readings: Callable[[], Mapping[str, float]] = dict
        self._over = threading.Event()
        self._state_lock = threading.Lock()

    def run(self, work: Callable[[Any, Any], None]) -> int:
        """Take the run, do ``work``, say how it ended; the process's exit code."""
        run = self.run_folder
        if try_lock(run.path / "worker.lock") is None:
            print(f"{run.id} is already being worked on", file=sys.stderr)
            return 2
        self._handle_signals()
        try:
            self._take()
        except PrunectlError as error:  # without a journal, all that can be said is the state
            print(f"error: {error}", file=sys.stderr)
            return self._without_journal(error)
        beat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beat.start()
        try:
            work(self, self._given())
        except NeedsLabels as error:
            self.emit(ev.Message("info", str(error)))
            return self._end("stopped", error.kind, error.exit_code)
        except Stopped:
            return self._end("stopped", "stopped", self._stop_code())
        except PrunectlError as error:
            return self._fail(error)
        except Exception as error:
            traceback.print_exc()
            return self._fail(RunFailure(f"{type(error).__name__}: {error}", "see worker.log"))
        return self._end("finished", None, 0)

    def _take(self) -> None:
        folder = self.run_folder
        with disk_errors(folder.path):
            (folder.path / "stop.request").unlink(missing_ok=True)
            self._write_state()
            self.journal = Journal(folder.journal)
        self.before = self._history()

    def _history(self) -> list[Record]:
        """What earlier workers of this run have told."""
        return list(read(self.run_folder.journal))

    def _without_journal(self, error: PrunectlError) -> int:
        self.status = "failed"
        with suppress(PrunectlError, OSError):
            self._write_state(error.kind)
        return error.exit_code

    def emit(self, event: ev.Event) -> None:
        """Write an event; those a resume depends on are on the disk before this returns."""
        if isinstance(event, ev.TaskStarted | ev.Progress):
            self.task = event.task
            self.step = int(event.done) if isinstance(event, ev.Progress) else 0
        self.journal.append(event, durable=isinstance(event, _DURABLE))

    def set_status(self, status: str, behind: str | None = None) -> None:
        """queued (behind whom) or running; written at once."""
        self.status, self.behind = status, behind
        self._write_state()

    def started_tasks(self) -> frozenset[str]:
        """Tasks that an earlier worker of this run began."""
        return frozenset(
            r.event.task for r in self.before if isinstance(r.event, ev.TaskStarted | ev.Points)
        )

    def first_start(self) -> ev.RunStarted | None:
        """How the run was first started."""
        return next((r.event for r in self.before if isinstance(r.event, ev.RunStarted)), None)

    def _given(self) -> Any:
        """What there is to work on, checked."""
        return self._checked_spec()

    def _checked_spec(self) -> Spec:
        file = self.run_folder.spec_file
        spec = parse_spec(read_yaml(file), str(file))
        first = self.first_start()
        if first is not None and (changes := differences(first.spec, spec.to_dict())):
            raise UserError(
                "the spec was changed since the run was started:\n  " + "\n  ".join(changes),
                "undo the change, or start a new run",
            )
        return spec

    def _handle_signals(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            self._at_once()
            os._exit(128 + number)  # asked twice: at once; the journal is whole at any moment
        self.signal = number
        self.stop.set()

    def _at_once(self) -> None:
        """Called before this process is left in the middle of everything."""

    def _stop_code(self) -> int:
        return 128 + (self.signal or signal.SIGINT)

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            self._look_for_requests()
            if time.monotonic() - last >= HEARTBEAT_SECONDS:
                last = time.monotonic()
                try:
                    self._write_state()
                    self._write_readings()
                except (PrunectlError, OSError):
                    continue  # a full disk is the main thread's to report

    def _look_for_requests(self) -> None:
        """A stop that was asked for by file, from another host."""
        if (self.run_folder.path / "stop.request").exists():
            self.stop.set()

    def _write_readings(self) -> None:
        if self.task is None or self.status != "running":
            return
        for series, value in self.readings().items():
            self.journal.append(ev.Points(self.task, series, [self.step], [0.0], [value]))

    def _write_state(self, reason: str | None = None) -> None:
        with self._state_lock:
            self.run_folder.write_state(
                State(
                    self.status, reason, os.getpid(), process_start(os.getpid()), hostname(),
                    time.time(), self.behind,
                )
            )  # fmt: skip

    def _fail(self, error: PrunectlError) -> int:
        if error.__cause__ is not None:  # what the one line stands for, for worker.log
            traceback.print_exception(error.__cause__)
        print(f"error: {error}", file=sys.stderr)
        with suppress(PrunectlError):  # the disk may be full; state and exit code still say so
            self.emit(ev.Message("error", str(error)))
        return self._end("failed", error.kind, error.exit_code)

    def _end(self, status: str, reason: str | None, code: int) -> int:
        self._over.set()
        self.status, self.behind = status, None
        try:
            self.emit(ev.RunFinished(status, reason))
            self._write_state(reason)
        except PrunectlError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        return code


def versions() -> dict[str, str]:
    """Versions of what the results depend on, and the commit of the working directory."""
    found = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = git_commit(Path.cwd())
    return found if commit is None else {**found, "git": commit}


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    """``key: old -> new`` for every key that differs, nested keys with dots."""
    found = []
    for key in sorted({*before, *after}):
        old, new, name = before.get(key), after.get(key), f"{prefix}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{name}.")
        elif old != new:
            found.append(f"{name}: {old} -> {new}")
    return found
