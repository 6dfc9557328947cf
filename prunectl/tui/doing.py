"""What the console does to runs: start, stop, resume, delete. Each says in words what was done.

It only asks: workers are processes of their own and outlive the console.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.locks import hostname
from core.predicted import of_estimate, write_predicted
from core.runs import Folder, Run, State, create_run, remove_run, request_stop, start_worker
from core.spec import Spec
from prunectl.resuming import refuse_if_changed

_started: list[subprocess.Popen[bytes]] = []


def start(folder: Path, spec: Spec, estimate: Mapping[str, Any] | None = None) -> Run:
    """A new run of a spec, with its worker; the estimate that was looked at stays with it."""
    run = create_run(folder, spec)
    if estimate is not None:
        write_predicted(run, of_estimate(estimate))
    _work(run)
    return run


def resume(run: Run) -> str:
    """Continue a run; a live or finished one is left alone."""
    state = run.state()
    if state.alive or state.status == "finished":
        return f"{run.id} is {state.shown}; nothing to do"
    sweep, _, cell = run.id.partition("/")
    if cell:
        raise UserError(f"{run.id} is a cell of a sweep", f"resume the sweep: {sweep}")
    refuse_if_changed(run)
    run.write_state(State(host=hostname(), heartbeat=time.time()))
    _work(run)
    return f"{run.id}: resumed"


def stop(run: Run) -> str:
    """Ask the worker to stop; it writes a checkpoint first."""
    return request_stop(run)


def delete(run: Folder) -> str:
    """Move the run to the trash of its folder."""
    if run.state().alive:
        raise UserError(f"{run.id} is {run.state().shown}", "stop it first")
    remove_run(run.runs, run)
    return f"{run.id} is in the trash (prunectl restore {run.id})"


def open_report(report: Path) -> str:
    """Open a report in a browser; where there is no window to open one in, say where it lies: a
    browser in the terminal would draw over the console."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    windows = sys.platform == "darwin" or any(os.environ.get(name) for name in screens)
    opened = windows and webbrowser.open(report.as_uri())
    return f"opened {report}" if opened else f"open {report} in a browser"


def _work(run: Run) -> None:
    for process in list(_started):  # so that none stays a zombie
        if process.poll() is not None:
            _started.remove(process)
    _started.append(start_worker(run))
