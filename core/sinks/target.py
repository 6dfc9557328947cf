"""Where a run is tracked, how far it has been sent, and who starts the sender.

Everything a worker or a front end needs to know of tracking, without MLflow: the worker notes the
target in its run folder and starts the shipper; front ends read how far the shipper is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import MachineError
from core.files import disk_errors, read_json, write_json
from core.runs import Folder, list_runs, worker_environment
from core.spec import TrackingSpec
from core.sweeps import list_sweeps

EXPERIMENT = "prunectl"
TARGET_FILE = "tracking.json"
CURSOR_FILE = "mlflow.json"
BUSY = 3
"""Exit code of a shipper that found another one at work."""
_SQLITE = "sqlite:///"
_SCHEMA = 1


@dataclass(frozen=True)
class Target:
    """A tracking server and an experiment. ``uri`` None is the runs folder's own store."""

    uri: str | None
    experiment: str

    def address(self, runs: Path) -> str:
        """The tracking URI, absolute."""
        return self.uri or _SQLITE + str(database(runs))


@dataclass(frozen=True)
class Sending:
    """How far a run has been sent."""

    tracked: bool = False
    complete: bool = False
    """Everything that is in the run folder now is on the server."""
    problem: str | None = None
    """Why the last attempt failed, in one line."""
    sent_bytes: int = 0
    total_bytes: int = 0
    """Journal bytes: what the server has answered for, and what there is."""


def folder(runs: Path) -> Path:
    """Where a runs folder keeps its own store, the lock and the log of the shipper."""
    return runs / "mlflow"


def database(runs: Path) -> Path:
    """The runs folder's own SQLite store."""
    return folder(runs) / "mlflow.db"


def lock_file(runs: Path) -> Path:
    """Locked by the one shipper of a runs folder."""
    return folder(runs) / "shipper.lock"


def wake_file(runs: Path) -> Path:
    """Touched to make a shipper that waits for a dead server try again at once."""
    return folder(runs) / "wake"


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite URI, None for any other."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def resolve(tracking: TrackingSpec) -> Target:
    """The spec's URI, else ``$MLFLOW_TRACKING_URI``, else the runs folder's own store."""
    given = tracking.uri or os.environ.get("MLFLOW_TRACKING_URI", "").strip() or None
    if given and (file := sqlite_file(given)) is not None:
        given = _SQLITE + str(file.expanduser().absolute())
    return Target(given, tracking.experiment or EXPERIMENT)


def note_target(run: Folder, tracking: TrackingSpec) -> Target:
    """Say once in the run folder where the run is tracked; a resumed run goes on there."""
    known = target_of(run)
    if known is None:
        known = resolve(tracking)
        plain = {"schema": _SCHEMA, "uri": known.uri, "experiment": known.experiment}
        write_json(run.path / TARGET_FILE, plain)
    return known


def target_of(run: Folder) -> Target | None:
    """Where the run is tracked; None when it is not."""
    plain = read_json(run.path / TARGET_FILE)
    if not isinstance(plain, dict) or not isinstance(plain.get("experiment"), str):
        return None
    return Target(plain.get("uri"), plain["experiment"])


def tracked_runs(runs: Path) -> list[Folder]:
    """The runs and sweeps of a folder that are tracked."""
    found: list[Folder] = [*list_sweeps(runs), *list_runs(runs)]
    return [one for one in found if (one.path / TARGET_FILE).is_file()]


def sending(run: Folder) -> Sending:
    """How far a run has been sent."""
    if not (run.path / TARGET_FILE).is_file():
        return Sending()
    cursor: Mapping[str, Any] = read_json(run.path / CURSOR_FILE) or {}
    total = run.journal.stat().st_size if run.journal.exists() else 0
    sent = int(cursor.get("offset") or 0)
    closed = bool(cursor.get("closed")) or run.state().alive
    return Sending(True, closed and sent >= total, cursor.get("problem"), sent, total)


def block(run: Folder) -> dict[str, Any] | None:
    """The ``mlflow`` block of ``summary.json``; None until the server has the run."""
    cursor: Mapping[str, Any] = read_json(run.path / CURSOR_FILE) or {}
    parent = (cursor.get("nodes") or {}).get("run") or {}
    if not parent.get("run_id"):
        return None
    names = ("tracking_uri", "experiment_id")
    return {**{name: cursor.get(name) for name in names}, "run_id": parent["run_id"]}


def installed() -> bool:
    """Whether MLflow can be imported; it is not imported to find out."""
    return find_spec("mlflow") is not None


def start_shipper(runs: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a shipper in a process and session of its own; it ends at once when there is one.

    Returns without waiting for anything it does.
    """
    place = folder(runs)
    with disk_errors(place):
        place.mkdir(parents=True, exist_ok=True)
        with open(place / "shipper.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "core.sinks.shipper", str(runs), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=place,
                env={**worker_environment(), "OMP_NUM_THREADS": "1"},
            )


def require_mlflow() -> None:
    """MachineError when MLflow is not installed."""
    if not installed():
        raise MachineError("MLflow is not installed", "pip install 'mlflow>=3.17,<3.18'")


def mlflow_environment() -> dict[str, str]:
    """What MLflow has to be told before it is imported: no telemetry, no patience of its own (the
    shipper decides when to try again), a bound on every request."""
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "10"),
        "GIT_PYTHON_REFRESH": "quiet",
    }
