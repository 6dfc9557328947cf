"""What the console does to sweeps: start, stop, resume, try again. Each says in words what
was done; the supervisor is a process of its own and outlives the console."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from core.errors import UserError
from core.files import write_atomic
from core.locks import hostname
from core.runs import State
from core.sweep_spec import MANY_CELLS, SweepSpec
from core.sweeps import Sweep, create_sweep
from prunectl.sweep import table
from prunectl.sweep.options import Options
from prunectl.sweep.start import start_supervisor

_started: list[subprocess.Popen[bytes]] = []


def start(folder: Path, spec: SweepSpec) -> Sweep:
    """A new sweep with its supervisor."""
    if spec.count > MANY_CELLS:
        raise UserError(f"{spec.count:,} cells", "start it with: prunectl sweep ... --yes")
    spec.cells()  # every problem of every cell, before there is a folder
    sweep = create_sweep(folder, spec, Options().to_dict())
    _work(sweep)
    return sweep


def resume(sweep: Sweep, *, retry_failed: bool = False) -> str:
    """Go on with a sweep; ``retry_failed``: failed cells too. A live one is left alone."""
    state = sweep.state()
    if state.alive:
        return f"{sweep.id} is {state.shown}; nothing to do"
    cells = table.view_of(sweep).cells.values()
    failed = sum(cell.status == "failed" for cell in cells)
    if retry_failed and not failed:
        return f"{sweep.id}: no cell has failed; nothing to do"
    if not retry_failed and cells and all(cell.ended for cell in cells):
        more = "; t tries failed cells again" if failed else ""
        return f"{sweep.id}: all cells have ended; nothing to do{more}"
    sweep.write_state(State(host=hostname(), heartbeat=time.time()))
    _work(sweep, ("--retry-failed",) if retry_failed else ())
    return f"{sweep.id}: resumed"


def stop(sweep: Sweep) -> str:
    """What runs may end and nothing more begins."""
    if not sweep.state().alive:
        return f"{sweep.id} is not running ({sweep.state().shown})"
    write_atomic(sweep.path / "stop.request", b"finish\n")
    return f"{sweep.id}: stopping when the tasks that run are done"


def _work(sweep: Sweep, extra: tuple[str, ...] = ()) -> None:
    for process in list(_started):  # so that none stays a zombie
        if process.poll() is not None:
            _started.remove(process)
    _started.append(start_supervisor(sweep, extra))
