"""The shipper process: ``python -P -m core.sinks.shipper RUNS_DIR [--once] [--idle SECONDS]``.

One per runs folder, elected by a lock that dies with it. It follows the journals of the tracked
runs, sends what is new, waits for servers that are down, closes the runs of dead workers, and goes
when for a minute no worker lived and nothing could be sent. ``--once`` sends what there is and
goes (exit code 0: all sent; 1: something could not be; 3: another shipper is at it).
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from core.errors import PrunectlError
from core.locks import try_lock
from core.runs import Folder
from core.sinks import target
from core.sinks.server import Refused, Server, Unreachable
from core.sinks.shipping import REPORT, RunShipper
from core.sinks.sweep_shipping import SweepShipper
from core.sweeps import Sweep

POLL_SECONDS = 1.0
IDLE_SECONDS = 60.0
NICE = 10
_LONGEST_WAIT = 60.0
_LOOK_SECONDS = 0.2
_TRIES, _TRY_SECONDS = 5, 0.05


@dataclass
class Patience:
    """How long a server that failed is left alone: twice as long every time."""

    until: float = 0.0
    delay: float = 0.5

    def failed(self) -> None:
        """Wait longer."""
        self.delay = min(_LONGEST_WAIT, 2 * self.delay)
        self.until = time.monotonic() + self.delay


@dataclass
class Shipper:
    """All tracked runs of one folder."""

    runs: Path
    _open: dict[Path, RunShipper] = field(default_factory=dict)
    _closed: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _servers: dict[str, Server] = field(default_factory=dict)
    _patience: dict[str, Patience] = field(default_factory=dict)
    _told: dict[Path, str] = field(default_factory=dict)
    points: int = 0
    pending: bool = False

    def cycle(self) -> bool:
        """Look at every run once and send what can be sent; whether anything is going on."""
        busy = self.pending = False
        for run in target.tracked_runs(self.runs):
            if self._closed.get(run.path) == _signature(run):
                continue
            try:
                busy = self._one(run) or busy
            except (PrunectlError, OSError) as error:
                self._problem(run, str(error))
        return busy

    def try_again(self) -> None:
        """Forget that servers failed."""
        self._patience.clear()

    def living(self) -> bool:
        """Whether a tracked run has a worker."""
        return any(run.state().alive for run in target.tracked_runs(self.runs))

    def _one(self, run: Folder) -> bool:
        shipper = self._shipper(run)
        if shipper is None:
            return False
        shipper.look()
        if not shipper.settled:
            self._ship(shipper)
        if shipper.settled and not shipper.alive:
            self._closed[run.path] = _signature(run)
            del self._open[run.path]
            return True
        self.pending = self.pending or not shipper.settled
        return shipper.alive

    def _shipper(self, run: Folder) -> RunShipper | None:
        """The run's shipper; None when all of it was sent by an earlier one."""
        known = self._open.get(run.path)
        if known is None:
            where = target.target_of(run)
            if where is None:
                return None
            known = _opened(run, where)
            if (
                known.cursor.closed
                and not known.new_report
                and known.cursor.offset == _signature(run)[0]
                and not run.state().alive
            ):
                self._closed[run.path] = _signature(run)
                return None
            self._open[run.path] = known
        return known

    def _ship(self, shipper: RunShipper) -> None:
        address = shipper.address
        patience = self._patience.setdefault(address, Patience())
        if time.monotonic() < patience.until:
            return
        try:
            self.points += shipper.ship(self._connect)
        except (Unreachable, Refused) as error:
            self._failed(shipper, patience, str(error))
        except Exception as error:  # one run's trouble is not another's
            traceback.print_exc()
            self._failed(shipper, patience, f"{type(error).__name__}: {error}")
        else:
            self._patience.pop(address, None)
            self._told.pop(shipper.run.path, None)

    def _failed(self, shipper: RunShipper, patience: Patience, problem: str) -> None:
        patience.failed()
        self._servers.pop(shipper.address, None)
        self._problem(shipper.run, problem)
        shipper.failed(problem)

    def _connect(self, address: str) -> Server:
        if address not in self._servers:
            try:
                from core.sinks.mlflow import MlflowServer
            except ImportError as error:
                raise Unreachable(f"MLflow cannot be imported: {error}") from error
            self._servers[address] = MlflowServer(address)
        return self._servers[address]

    def _problem(self, run: Folder, problem: str) -> None:
        self.pending = True
        if self._told.get(run.path) != problem:  # the log says what changes, not how often
            self._told[run.path] = problem
            print(f"{time.strftime('%F %T')} {run.id}: {problem}", file=sys.stderr, flush=True)


def _opened(folder: Folder, where: target.Target) -> RunShipper:
    return SweepShipper(folder, where) if isinstance(folder, Sweep) else RunShipper(folder, where)


def _signature(run: Folder) -> tuple[int, int]:
    """What changes when a closed run has something new: journal bytes, time of the report."""
    size = run.journal.stat().st_size if run.journal.exists() else 0
    return size, _modified(run.path / REPORT)


class _Process:
    """The loop around a :class:`Shipper`: signals, sleeping, waking, leaving."""

    def __init__(self, runs: Path, idle: float) -> None:
        self.runs, self.idle = runs, idle
        self.stopped = False
        self._woken = _modified(target.wake_file(runs))

    def main(self, *, once: bool) -> int:
        """Serve as long as this process holds the lock; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        while (lock := self._elect()) is not None:
            shipper = Shipper(self.runs)
            try:
                if once:
                    shipper.cycle()
                    return 1 if shipper.pending else 0
                self._serve(shipper)
            finally:
                os.close(lock)
            # A worker that came while the lock was held has found it taken: look once more.
            if self.stopped or not shipper.living():
                return 0
        return target.BUSY

    def _elect(self) -> int | None:
        """The lock, None when another shipper holds it. Whoever asks whether there is a shipper
        takes the lock for a moment, so one failure says nothing."""
        for _ in range(_TRIES):
            lock = try_lock(target.lock_file(self.runs))
            if lock is not None:
                return lock
            time.sleep(_TRY_SECONDS)
        return None

    def _serve(self, shipper: Shipper) -> None:
        last_busy = time.monotonic()
        while not self.stopped:
            if shipper.cycle():
                last_busy = time.monotonic()
            elif time.monotonic() - last_busy >= self.idle:
                return
            self._sleep(shipper)

    def _sleep(self, shipper: Shipper) -> None:
        end = time.monotonic() + POLL_SECONDS
        while not self.stopped and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
            if (touched := _modified(target.wake_file(self.runs))) != self._woken:
                self._woken = touched
                shipper.try_again()
                return

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True


def _modified(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


def main(arguments: list[str]) -> int:
    """The process entry; the exit code."""
    from argparse import ArgumentParser

    parser = ArgumentParser(prog="python -P -m core.sinks.shipper")
    parser.add_argument("runs", type=Path)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS)
    given = parser.parse_args(arguments)
    os.nice(NICE)
    os.environ.update(target.mlflow_environment())  # before MLflow is imported
    return _Process(given.runs.absolute(), given.idle).main(once=given.once)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
