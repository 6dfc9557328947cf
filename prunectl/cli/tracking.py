"""``sync`` and ``ui``: send what is left to MLflow, and look at it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from core.errors import MachineError, UserError
from core.runs import Folder, runs_folder, worker_environment
from core.sinks import target
from core.spec import TrackingSpec
from core.sweeps import find
from prunectl import tracking
from prunectl.cli import output
from prunectl.cli.watch import Signals

DEFAULT_PORT = 5000
_PORTS_TRIED = 50
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.2


def sync(name: str | None, *, runs_dir: Path | None) -> int:
    """Send the rest of one run, or of all tracked runs; return when the server has it."""
    runs = runs_folder(runs_dir)
    if name is not None:
        run: Folder = find(runs, name)
        tracking.enrol(run)
        runs = run.runs
        wanted: list[Folder] = [run]
    else:
        wanted = target.tracked_runs(runs)
    try:
        tracking.send(runs, wanted, output.say)
    except KeyboardInterrupt:
        output.say("left; what is not sent is sent by the next sync")
        return output.INTERRUPTED
    for run in wanted:
        _report(run)
    if not wanted:
        output.say(f"no run in {runs} is tracked")
    return output.OK


def _report(run: Folder) -> None:
    problem = target.sending(run).problem
    address = (target.block(run) or {}).get("tracking_uri")
    if address is None:
        output.say(f"{run.id}: nothing to send")
    else:
        output.data(f"{run.id}: sent to {address}" + (f"; {problem}" if problem else ""))


def ui(*, port: int | None, runs_dir: Path | None) -> int:
    """MLflow's own UI on the store of the runs, until Ctrl-C."""
    runs = runs_folder(runs_dir)
    where = _target(runs)
    address = where.address(runs)
    database = target.sqlite_file(address)
    if database is None:
        output.data(address)
        output.say("the runs are on that server; it has its own UI")
        return output.OK
    target.require_mlflow()
    return _serve(runs, database, _free_port(port))


def _target(runs: Path) -> target.Target:
    """Where the newest tracked run is; else where one would be."""
    for run in target.tracked_runs(runs):
        chosen = target.target_of(run)
        if chosen is not None:
            return chosen
    return target.resolve(TrackingSpec())


def _serve(runs: Path, database: Path, port: int) -> int:
    place = target.folder(runs)
    place.mkdir(parents=True, exist_ok=True)
    log = place / "ui.log"
    with Signals() as signals, open(log, "wb") as out:
        # A session of its own: the server starts processes, which end together.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "core.sinks.ui", str(database), str(port)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True, cwd=place, env=worker_environment(),
        )  # fmt: skip
        try:
            output.say("starting MLflow's server ...")
            _until_it_answers(process, port, signals, log)
            if not signals.count:
                output.data(f"http://127.0.0.1:{port}/#/experiments/{_experiment(runs)}")
                output.say("Ctrl-C ends it; runs go on without it")
            while not signals.count and process.poll() is None:
                time.sleep(_LOOK_SECONDS)
            if not signals.count:
                raise MachineError("MLflow's server ended", f"what it printed: {log}")
        finally:
            _end(process)
    return output.OK


def _until_it_answers(
    process: subprocess.Popen[bytes], port: int, signals: Signals, log: Path
) -> None:
    end = time.monotonic() + _START_SECONDS
    while not signals.count and not _answers(port):
        if process.poll() is not None or time.monotonic() > end:
            raise MachineError("MLflow's server did not start", f"what it printed: {log}")
        time.sleep(_LOOK_SECONDS)


def _answers(port: int) -> bool:
    from urllib.request import urlopen

    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        time.sleep(_LOOK_SECONDS)  # its children end after it; what is left is killed


def _experiment(runs: Path) -> str:
    """Id of the experiment of the newest run that was sent."""
    found = (target.block(run) for run in target.tracked_runs(runs))
    return next((str(block["experiment_id"]) for block in found if block), "")


def _free_port(wanted: int | None) -> int:
    if wanted is not None:
        if not _free(wanted):
            raise UserError(f"port {wanted} is taken", "choose another one with --port")
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        if _free(port):
            return port
    raise MachineError(f"no port from {DEFAULT_PORT} on is free", "name one with --port")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
