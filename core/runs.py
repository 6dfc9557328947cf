"""Run folders: create, find, list, start, stop, delete. What a run is doing, told truthfully.

``state.json`` is the worker's word (replaced atomically every 5 s); ``stale`` is derived when the
process is gone on this host, never guessed from slowness.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import MachineError, UserError, nearest
from core.files import disk_errors, read_json, write_atomic, write_json
from core.locks import hostname, process_start
from core.spec import Spec

ALIVE = ("queued", "running")
TRASH = ".trash"
CELLS = "cells"
SWEEP_FILE = "sweep.yaml"
REPORT = "report.html"
_STARTUP_SECONDS = 60.0


@dataclass(frozen=True)
class State:
    """What the worker last said of itself."""

    status: str = "queued"
    reason: str | None = None
    pid: int | None = None
    pid_start: str | None = None
    host: str = ""
    heartbeat: float = 0.0
    behind: str | None = None

    @property
    def alive(self) -> bool:
        """Whether the worker process exists. Of another host's only its own word is known."""
        if self.status not in ALIVE:
            return False
        if self.host not in ("", hostname()):
            return True
        if self.pid is None:  # started, but its first word has not come
            return time.time() - self.heartbeat < _STARTUP_SECONDS
        return process_start(self.pid) == self.pid_start

    @property
    def shown(self) -> str:
        """The status for people: as written, or ``stale`` when the process is gone."""
        return "stale" if self.status in ALIVE and not self.alive else self.status


@dataclass(frozen=True)
class Folder:
    """What a user starts: a folder with a journal, a state and the process that works on it."""

    path: Path

    @property
    def id(self) -> str:
        """Folder name: four base32 characters, then the preset's name; a sweep's cell is
        ``<sweep>/<cell>``."""
        parent = self.path.parent
        return f"{parent.parent.name}/{self.path.name}" if _in_sweep(self.path) else self.path.name

    @property
    def runs(self) -> Path:
        """The runs folder it belongs to."""
        parent = self.path.parent
        return parent.parent.parent if _in_sweep(self.path) else parent

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """What its processes printed."""
        return self.path / "worker.log"

    def state(self) -> State:
        """The last written state; a queued one when there is none."""
        plain = read_json(self.path / "state.json")
        known = State.__dataclass_fields__
        return State(**{k: v for k, v in plain.items() if k in known}) if plain else State()

    def write_state(self, state: State) -> None:
        """Replace the state."""
        write_json(self.path / "state.json", asdict(state))


@dataclass(frozen=True)
class Run(Folder):
    """One run folder."""

    @property
    def spec_file(self) -> Path:
        """The complete spec."""
        return self.path / "spec.yaml"

    @property
    def created(self) -> float:
        """When it was made, in seconds since 1970."""
        return self.spec_file.stat().st_mtime

    @property
    def summary_file(self) -> Path:
        """Results; there once the run has any."""
        return self.path / "summary.json"

    @property
    def predicted_file(self) -> Path:
        """What it was predicted to cost; there once seconds per pass were known."""
        return self.path / "predicted.json"

    def summary(self) -> dict[str, Any] | None:
        """``summary.json``, None when there is none yet."""
        plain: dict[str, Any] | None = read_json(self.summary_file)
        if plain and plain.get("schema", 0) > 1:
            raise UserError(f"{self.id} was written by a newer version", "upgrade prunectl")
        return plain


def runs_folder(given: Path | None = None) -> Path:
    """``--runs-dir``, else ``$PRUNECTL_RUNS``, else ``./runs``; absolute."""
    return Path(given or os.environ.get("PRUNECTL_RUNS") or "runs").expanduser().absolute()


def store_folder(runs: Path) -> Path:
    """The store of a runs folder."""
    return runs / "store"


def _in_sweep(path: Path) -> bool:
    return path.parent.name == CELLS and (path.parent.parent / SWEEP_FILE).is_file()


def new_folder(runs: Path, name: str) -> Path:
    """A new, empty folder ``<4 base32>-<name>``; no other of the runs folder begins alike."""
    with disk_errors(runs):
        try:
            runs.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise MachineError(
                f"cannot write {runs}: a file is in the way", "choose another --runs-dir"
            ) from None
        while True:
            code = base64.b32encode(secrets.token_bytes(3)).decode().lower()[:4]
            if any(runs.glob(f"{code}-*")) or any((runs / TRASH).glob(f"{code}-*")):
                continue
            path = runs / f"{code}-{name}"
            path.mkdir()
            return path


def create_run(runs: Path, spec: Spec) -> Run:
    """A new run folder with the spec in it."""
    run = Run(new_folder(runs, spec.name))
    write_atomic(run.spec_file, spec.to_yaml().encode())
    run.write_state(State(host=hostname(), heartbeat=time.time()))
    return run


def start_worker(run: Run, extra: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Start the run's own process: its own session, so that closing the terminal never hurts it."""
    with open(run.log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "core.worker", str(run.path), *extra],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=worker_environment(),
        )


def worker_environment() -> Mapping[str, str]:
    """The worker's environment: ours, with faulthandler on so that a crash leaves its trace."""
    return {**os.environ, "PYTHONFAULTHANDLER": "1", "PYTHONUNBUFFERED": "1"}


def list_runs(runs: Path) -> list[Run]:
    """All runs of a folder, newest first."""
    if not runs.is_dir():
        return []
    found = [Run(p) for p in runs.iterdir() if (p / "spec.yaml").is_file()]
    return sorted(found, key=lambda r: r.spec_file.stat().st_mtime, reverse=True)


def find_run(runs: Path, text: str) -> Run:
    """The run with this id, unique prefix of an id, or path. Else UserError with the nearest."""
    as_path = Path(text).expanduser()
    if os.sep in text and (as_path / "spec.yaml").is_file():
        return Run(as_path.absolute())
    if os.sep in text and (sweep := _sweep_of(runs, text)) is not None:
        return _find_cell(sweep, text.partition(os.sep)[2])
    everything = list_runs(runs)
    ids = [r.id for r in everything]
    found = [r for r in everything if r.id == text] or [
        r for r in everything if r.id.startswith(text)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"'{text}' fits {len(found)} runs: {', '.join(r.id for r in found[:6])}")
    if (sweep := _sweep_of(runs, text)) is not None:
        todo = f"name one of its cells: {sweep.name}{os.sep}CELL"
        raise UserError(f"{sweep.name} is a sweep, and this is for a run", todo)
    if not ids:
        raise UserError(f"there are no runs in {runs}", "start one with `prunectl run`")
    raise UserError(f"no run is called '{text}' in {runs}", nearest(text, ids))


def _sweep_of(runs: Path, text: str) -> Path | None:
    """The folder of the sweep that ``SWEEP`` or ``SWEEP/CELL`` begins with, if there is one."""
    name = text.partition(os.sep)[0]
    if not name or not runs.is_dir():
        return None
    sweeps = [p for p in runs.iterdir() if (p / SWEEP_FILE).is_file()]
    found = [p for p in sweeps if p.name == name] or [p for p in sweeps if p.name.startswith(name)]
    return found[0] if len(found) == 1 else None


def _find_cell(sweep: Path, text: str) -> Run:
    folder = sweep / CELLS
    cells = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    found = [c for c in cells if c == text] or [c for c in cells if text and c.startswith(text)]
    if len(found) == 1:
        return Run(folder / found[0])
    if found:
        raise UserError(f"'{text}' fits {len(found)} cells of {sweep.name}: {', '.join(found[:6])}")
    hint = nearest(text, cells) if cells else "none of its cells has ended yet"
    raise UserError(f"{sweep.name} has no ended cell '{text}'", hint)


def request_stop(run: Folder, *, now: bool = False) -> str:
    """Ask a run's worker to stop; what was done, in words."""
    state = run.state()
    if not state.alive:
        return f"{run.id} is not running ({state.shown})"
    if state.host == hostname() and state.pid is not None:
        os.kill(state.pid, signal.SIGKILL if now else signal.SIGTERM)
        return f"{run.id}: stopping"
    write_atomic(run.path / "stop.request", b"stop\n")
    return f"{run.id}: asked {state.host or 'the worker'} to stop"


def remove_run(runs: Path, run: Folder) -> Path:
    """Move a run to the trash. A live one is refused."""
    if _in_sweep(run.path):
        todo = f"remove the whole sweep: prunectl rm {run.id.partition(os.sep)[0]}"
        raise UserError(f"{run.id} is a cell of a sweep", todo)
    if run.state().alive:
        raise UserError(
            f"{run.id} is {run.state().shown}", f"stop it first: prunectl stop {run.id}"
        )
    with disk_errors(runs):
        (runs / TRASH).mkdir(exist_ok=True)
        target = runs / TRASH / run.id
        shutil.move(run.path, target)
    return target


def restore_run(runs: Path, text: str) -> Run:
    """Bring a run back from the trash by id or unique prefix."""
    trashed = [p.name for p in (runs / TRASH).glob("*")] if (runs / TRASH).is_dir() else []
    found = [n for n in trashed if n == text] or [n for n in trashed if n.startswith(text)]
    if len(found) != 1:
        hint = nearest(text, trashed) if trashed else "the trash is empty"
        raise UserError(f"{len(found) or 'no'} run in the trash is called '{text}'", hint)
    if (runs / found[0]).exists():
        raise UserError(f"{found[0]} exists already", "remove it first")
    shutil.move(runs / TRASH / found[0], runs / found[0])
    return Run(runs / found[0])
