"""The executor of this machine: warm worker processes, one a slot, forked from a server process
that has imported the engine and run none of it. A worker is replaced after any failure."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from core.errors import MachineError
from core.slots import (
    ENDS,
    Failed,
    Job,
    LookJob,
    Lost,
    Queued,
    Ready,
    Report,
    ReportJob,
    Setting,
    Slot,
    Stopped,
    begin,
)
from prunectl.sweep import server

_GOODBYE_SECONDS = 25.0
_EXIT_SECONDS = 5.0
_STILLBORN_LIMIT = 3


@dataclass
class _Seat:
    """A slot, and the worker that sits there now."""

    slot: Slot | None
    process: BaseProcess
    connection: Connection
    ready: bool = False
    behind: str | None = None
    number: int | None = None
    stillborn: int = 0


class LocalExecutor:
    """See :class:`prunectl.sweep.executor.Executor`."""

    def __init__(self, runs: Path, run: str) -> None:
        """``run`` is who holds the devices, for others who wait."""
        self._runs, self._run = runs, run
        self._context = server.begin()
        self._seats: list[_Seat] = []
        self._waiting: list[Slot] = []
        self._leaving: list[BaseProcess] = []

    def ask(self, job: LookJob | ReportJob) -> Report:
        """In a worker of its own, which takes no device."""
        seat = self._seat(None)
        seat.connection.send(job)
        try:
            while True:
                report: Report = seat.connection.recv()
                if isinstance(report, ENDS):
                    return report
        except (EOFError, OSError):
            seat.process.join(_GOODBYE_SECONDS)
            return Lost(seat.process.exitcode or 0)
        finally:
            self._dismiss(seat)

    def open(self, slots: Sequence[Slot]) -> None:
        """The first slot of every device at once, the others when that one is ready: whoever has
        the first slot of a device has the device."""
        self._waiting = [slot for slot in slots if slot.index]
        self._seats = [self._seat(slot) for slot in slots if not slot.index]

    def free(self) -> int:
        return sum(seat.ready and seat.number is None for seat in self._seats)

    def queued_behind(self) -> str | None:
        if any(seat.ready for seat in self._seats):
            return None
        return next((seat.behind for seat in self._seats if seat.behind), None)

    def submit(self, number: int, job: Job) -> None:
        seat = next(s for s in self._seats if s.ready and s.number is None)
        seat.number = number
        with suppress(OSError):  # dead already: the next poll notices and reports it lost
            seat.connection.send(job)

    def poll(self, seconds: float) -> list[tuple[int, Report]]:
        by_connection = {seat.connection: seat for seat in self._seats}
        found: list[tuple[int, Report]] = []
        for connection in wait(list(by_connection), seconds):
            found += self._heard(by_connection[connection])  # type: ignore[index]  # wait() returns what it was given
        return found

    def stop(self) -> None:
        for seat in self._seats:
            if seat.number is not None:
                with suppress(OSError):
                    seat.connection.send("stop")

    def kill(self, number: int) -> None:
        for seat in self._seats:
            if seat.number == number:
                _kill(seat.process)

    def kill_all(self) -> None:
        for process in [*(seat.process for seat in self._seats), *self._leaving]:
            _kill(process)

    def close(self) -> None:
        """Idle workers go when their connection closes; one that does not is killed."""
        for seat in self._seats:
            seat.connection.close()
        end = time.monotonic() + _GOODBYE_SECONDS
        for process in [*(seat.process for seat in self._seats), *self._leaving]:
            process.join(max(0.0, end - time.monotonic()))
            _kill(process)
        self._seats, self._leaving = [], []

    def _seat(self, slot: Slot | None, stillborn: int = 0) -> _Seat:
        ours, theirs = self._context.Pipe()
        setting = Setting(self._runs, self._run, slot)
        process = self._context.Process(target=begin, args=(setting, theirs), daemon=False)
        process.start()
        theirs.close()
        return _Seat(slot, process, ours, stillborn=stillborn)

    def _heard(self, seat: _Seat) -> list[tuple[int, Report]]:
        """Everything a worker has said; its end, when it is gone."""
        found: list[tuple[int, Report]] = []
        try:
            while seat.connection.poll():
                report = seat.connection.recv()
                if isinstance(report, Ready):
                    seat.ready, seat.behind, seat.stillborn = True, None, 0
                    self._open_others(seat)
                elif isinstance(report, Queued):
                    seat.behind = report.behind
                elif seat.number is not None:
                    found.append((seat.number, report))
                    if isinstance(report, ENDS):
                        seat.number = None
                        seat.ready = not _leaves(report)
        except (EOFError, OSError):
            found += self._gone(seat)
        return found

    def _open_others(self, seat: _Seat) -> None:
        device = seat.slot.device if seat.slot else ""
        self._seats += [self._seat(slot) for slot in self._waiting if slot.device == device]
        self._waiting = [slot for slot in self._waiting if slot.device != device]

    def _gone(self, seat: _Seat) -> list[tuple[int, Report]]:
        """Another worker takes the seat; a job that was at work is lost."""
        self._seats.remove(seat)
        seat.connection.close()
        lost: list[tuple[int, Report]] = []
        if seat.number is not None:
            seat.process.join(_EXIT_SECONDS)
            code = seat.process.exitcode
            lost.append((seat.number, Lost(-signal.SIGKILL if code is None else code)))
        self._leaving = [p for p in [*self._leaving, seat.process] if p.is_alive()]
        stillborn = seat.stillborn if seat.ready or lost else seat.stillborn + 1
        if stillborn > _STILLBORN_LIMIT:
            what = f"the workers for {seat.slot.name if seat.slot else 'the data'} die at once"
            raise MachineError(f"{what} (exit code {seat.process.exitcode})", "see worker.log")
        self._seats.append(self._seat(seat.slot, stillborn))
        return lost

    def _dismiss(self, seat: _Seat) -> None:
        seat.connection.close()
        seat.process.join(_GOODBYE_SECONDS)
        _kill(seat.process)


def _leaves(report: Report) -> bool:
    """Whether a worker ends after saying this."""
    return isinstance(report, Failed | Stopped)


def _kill(process: BaseProcess) -> None:
    """Also from a signal handler: nothing here waits."""
    with suppress(OSError):
        if process.pid is not None and process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
