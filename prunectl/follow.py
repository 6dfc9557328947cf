"""Starting a run's worker and following its journal until it ends, dies or is stopped.

Shared by the command line and the Python interface; neither prints here.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import CellsFailed, DiskFull, MachineError, PrunectlError, RunFailure, UserError
from core.events import RunFinished, RunStarted, SweepStarted
from core.journal import Record, Tail
from core.runs import Folder, State
from prunectl.view import View, apply

POLL_SECONDS = 0.1
_STATE_SECONDS = 1.0
_SETTLE_SECONDS = 10.0
_BY_REASON: dict[str, type[PrunectlError]] = {
    "bad_input": UserError,
    "environment": MachineError,
    "disk_full": DiskFull,
    "cells_failed": CellsFailed,
}


FolderT = TypeVar("FolderT", bound=Folder)


@dataclass(frozen=True)
class Ending:
    """How a run ended: finished, stopped, failed, or ``dead`` (the worker is gone, unfinished)."""

    status: str
    reason: str | None = None
    returncode: int | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of a command that waited for it."""
        if self.status == "finished":
            return 0
        if self.status == "stopped":
            return 130
        return _BY_REASON.get(self.reason or "", RunFailure).exit_code

    def error(self, run: Folder, view: View) -> PrunectlError:
        """A failed or dead run as an error that says what happened and what to do."""
        again = f"continue with: prunectl resume {run.id}"
        if self.status == "dead":
            what = f"the worker of {run.id} is gone ({_death(self.returncode)}), the run unfinished"
            return RunFailure(what, f"{again}\nwhat it printed: {run.log}")
        said = view.errors or [f"{run.id} failed ({self.reason or 'no reason given'})"]
        what, _, todo = "\n".join(said).partition("; ")
        kind = _BY_REASON.get(self.reason or "", RunFailure)
        if view.first_task_began and kind is not UserError:
            todo = "\n".join(t for t in (todo, again) if t)
        return kind(what, todo)


class Follower(Generic[FolderT]):
    """A journal followed into a :class:`View`.

    ``newborn``: the folder was made for this worker, so a refused one can go.
    Without ``process`` (the worker was started by another command) ``state.json`` says whether the
    worker lives.
    """

    def __init__(
        self,
        run: FolderT,
        process: subprocess.Popen[bytes] | None = None,
        *,
        newborn: bool = False,
        view: View | None = None,
        apply: Callable[[View, Record], None] = apply,
    ) -> None:
        """``view`` and ``apply``: what the records are reduced to, and by what."""
        self.run = run
        self.newborn = newborn
        self.process = process
        self.view = View() if view is None else view
        self._apply = apply
        self.state = run.state()
        self.ending: Ending | None = None
        self._tail = Tail(run.journal)
        self._state_read = time.monotonic()

    def skip_history(self) -> None:
        """Take in what the journal holds already, without regarding its end as the end."""
        while records := self._tail.poll():
            for record in records:
                self._apply(self.view, record)

    def poll(self) -> list[Record]:
        """New records, already in the view; sets ``ending`` when the run is over."""
        gone = self._gone()  # asked first: what a dead worker wrote is in the journal by then
        records = self._tail.poll()
        for record in records:
            self._apply(self.view, record)
            if isinstance(record.event, RunFinished):
                self.ending = Ending(record.event.status, record.event.reason)
            elif isinstance(record.event, RunStarted | SweepStarted):
                self.ending = None  # a later session
        if gone and not records and self.ending is None:
            code = self.process.returncode if self.process else None
            self.ending = Ending("dead", returncode=code)
        return records

    def until_end(self) -> Iterator[list[Record]]:
        """Batches of new records, empty ones while nothing happens, until the run is over."""
        while self.ending is None:
            records = self.poll()
            yield records
            if not records and self.ending is None:
                time.sleep(POLL_SECONDS)
        self._settle()

    def forget_if_stillborn(self) -> bool:
        """Remove the folder of a new run that was refused before any work; whether it was."""
        ending = self.ending
        refused = ending is not None and ending.status == "failed" and ending.exit_code == 2
        if refused and self.newborn and not self.view.first_task_began:
            shutil.rmtree(self.run.path, ignore_errors=True)
            return True
        return False

    def _gone(self) -> bool:
        if self.process is not None:
            return self.process.poll() is not None
        return not self.refresh_state().alive

    def refresh_state(self) -> State:
        """What the worker last said of itself, read at most once a second."""
        if time.monotonic() - self._state_read >= _STATE_SECONDS:
            self._read_state()
        return self.state

    def _read_state(self) -> None:
        self.state, self._state_read = self.run.state(), time.monotonic()

    def _settle(self) -> None:
        """After its last word the worker still closes files; wait for it, but not for ever."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_SETTLE_SECONDS)
        else:
            deadline = time.monotonic() + _SETTLE_SECONDS
            while self.run.state().alive and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        self._read_state()


def _death(returncode: int | None) -> str:
    if returncode is None:
        return "killed or crashed"
    if returncode < 0:
        try:
            return f"killed by {signal.Signals(-returncode).name}"
        except ValueError:
            return f"killed by signal {-returncode}"
    return f"it ended with code {returncode}"
