"""How a run stands with MLflow, and sending what is left. MLflow itself is never imported here."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from core.errors import MachineError, UserError
from core.events import RunStarted, SweepStarted
from core.journal import read
from core.locks import try_lock
from core.runs import Folder, Run
from core.sinks import target
from core.spec import Spec
from core.spec_load import parse_spec, read_yaml
from core.sweeps import Sweep

_POLL_SECONDS = 0.2


def word(run: Folder) -> str | None:
    """One line on a run that is over; a shipper is started again if there is work and none."""
    how = target.sending(run)
    if not how.tracked or not begun(run):
        return None
    later = f"prunectl sync {run.id}"
    if how.complete:
        return f"MLflow: all of it is sent ({_where(run)})"
    if not target.installed():
        return f"MLflow is not installed, nothing was sent; once it is: {later}"
    if not shipping(run.runs):
        with suppress(MachineError, OSError):
            target.start_shipper(run.runs)
    if how.problem:
        return f"MLflow: not all is sent yet ({how.problem}); the run needs nothing of it: {later}"
    return f"MLflow: points are still being sent in the background ({later} waits for them)"


def _where(run: Folder) -> str:
    chosen = target.target_of(run)
    return chosen.uri if chosen is not None and chosen.uri else "see it with: prunectl ui"


def begun(run: Folder) -> bool:
    """Whether a worker ever got as far as to have something to tell."""
    return any(isinstance(record.event, RunStarted | SweepStarted) for record in read(run.journal))


def shipping(runs: Path) -> bool:
    """Whether a shipper serves the folder."""
    if not target.lock_file(runs).exists():
        return False
    free = try_lock(target.lock_file(runs))
    if free is not None:
        os.close(free)
    return free is None


def enrol(run: Folder) -> None:
    """See to it that a named run is tracked. UserError when its spec says it is not to be."""
    if target.target_of(run) is None:
        tracked = _spec(run).tracking
        if not tracked.enabled:
            raise UserError(f"{run.id} is not tracked", "its spec has tracking.enabled: false")
        target.note_target(run, tracked)


def _spec(folder: Folder) -> Spec:
    if isinstance(folder, Sweep):
        return folder.spec().first()
    file = Run(folder.path).spec_file
    return parse_spec(read_yaml(file), str(file))


def send(runs: Path, wanted: Iterable[Folder], say: Callable[[str], None]) -> None:
    """Return when everything that is in the wanted runs now is on their servers.

    MachineError when a server does not take it; nothing is lost then. Whoever holds the shipper's
    lock does the sending: this process never does.
    """
    target.require_mlflow()
    left = [run for run in wanted if begun(run)]
    started = time.time()
    _wake(runs)
    while left:
        process = target.start_shipper(runs, "--once")
        code = _wait(process)
        if code == target.BUSY:
            _watch(runs, left, started, say)
        left = [run for run in left if not _sent(run)]
        if left and code not in (0, target.BUSY):
            raise _unsent(left[0], target.sending(left[0]).problem or _last_line(runs))


def _sent(run: Folder) -> bool:
    return target.sending(run).complete


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _watch(runs: Path, left: list[Folder], started: float, say: Callable[[str], None]) -> None:
    """Wait for the shipper that holds the lock: until it is done, fails or goes."""
    say("a shipper is at work; waiting for it")
    while shipping(runs) and not all(_sent(run) for run in left):
        for run in left:
            problem = target.sending(run).problem
            cursor = run.path / target.CURSOR_FILE
            if problem and not _sent(run) and cursor.stat().st_mtime > started:
                raise _unsent(run, problem)
        time.sleep(_POLL_SECONDS)


def _unsent(run: Folder, problem: str) -> MachineError:
    todo = f"nothing is lost; try again later: prunectl sync {run.id}"
    return MachineError(f"{run.id} could not be sent: {problem}", todo)


def _last_line(runs: Path) -> str:
    with suppress(OSError):
        lines = (target.folder(runs) / "shipper.log").read_text(errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.strip()), "no reason was given")
    return "no reason was given"


def _wake(runs: Path) -> None:
    if target.folder(runs).is_dir():
        target.wake_file(runs).touch()
