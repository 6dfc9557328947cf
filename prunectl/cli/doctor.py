"""``doctor`` and ``where``: is this machine fit, and where does everything lie."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.data.locations import default_cache_root
from core.errors import PrunectlError
from core.leases import runtime_folder
from core.locks import holder, try_lock
from core.runs import TRASH, list_runs, runs_folder, store_folder
from core.sinks import health, target
from prunectl import presets, words
from prunectl.cli import output
from prunectl.jobs import ask

_LOW_DISK = 2e9
Check = dict[str, Any]


def doctor(*, as_json: bool, runs_dir: Path | None) -> int:
    """Look at everything a run needs; exit code 4 when something would stop one."""
    runs = runs_folder(runs_dir)
    checks = [*_software(), *_worker(), *_places(runs), *_tracking(runs), *_occupied(runs)]
    healthy = all(check["ok"] for check in checks)
    if as_json:
        output.data_json({"schema": 1, "ok": healthy, "checks": checks})
    else:
        width = max(len(check["name"]) for check in checks)
        for check in checks:
            mark = "ok  " if check["ok"] else "FAIL"
            output.data(f"{mark} {check['name']:<{width}}  {check['text']}")
    return output.OK if healthy else output.MACHINE


def where(*, as_json: bool, runs_dir: Path | None) -> int:
    """Every path prunectl reads or writes."""
    runs = runs_folder(runs_dir)
    places = {
        "runs": runs, "store": store_folder(runs), "trash": runs / TRASH,
        "tracking": target.folder(runs), "data": default_cache_root(), "leases": runtime_folder(),
        **{f"presets ({source})": folder for source, folder in presets.folders()},
        "core": _origin("core"), "prunectl": _origin("prunectl"), "python": Path(sys.executable),
    }  # fmt: skip
    if as_json:
        output.data_json({"schema": 1, "paths": {k: str(v) for k, v in places.items()}})
        return output.OK
    width = max(map(len, places))
    for name, path in places.items():
        output.data(f"{name:<{width}}  {path}")
    return output.OK


def _software() -> Iterator[Check]:
    version = platform.python_version()
    fit = sys.version_info >= (3, 11)
    yield _check("python", fit, f"{version} at {sys.executable}")
    yield _check("prunectl", True, f"from {_origin('prunectl')}")
    yield _check("core", True, f"from {_origin('core')}")


def _worker() -> Iterator[Check]:
    """torch, faiss, device, threads: a worker looks, because importing them takes seconds."""
    try:
        answer = ask({"job": "doctor"})
    except PrunectlError as error:
        yield _check("worker", False, str(error))
        return
    yield from (_check(c["name"], bool(c["ok"]), str(c["text"])) for c in answer["checks"])


def _places(runs: Path) -> Iterator[Check]:
    for name, folder in (("runs folder", runs), ("data folder", default_cache_root())):
        there = _existing(folder)
        writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        made = "" if there == folder else " (made when needed)"
        yield _check(name, writable, f"{folder}{made if writable else ' cannot be written'}")
    free = shutil.disk_usage(_existing(runs)).free
    yield _check("free disk", free > _LOW_DISK, f"{words.size(free)} at {_existing(runs)}")


def _tracking(runs: Path) -> Iterator[Check]:
    yield from (_check(name, fit, text) for name, fit, text in health.check(runs))


def _occupied(runs: Path) -> Iterator[Check]:
    for file in sorted(runtime_folder().glob("*.lease")) if runtime_folder().is_dir() else ():
        who = _lease_holder(file)
        text = f"held by {who.get('run', '?')} (process {who.get('pid', '?')})" if who else "free"
        yield _check(file.stem, True, text)
    everything = list_runs(runs)
    stale = [run.id for run in everything if run.state().shown == "stale"]
    text = words.plural(len(everything), "run")
    if stale:
        text += f"; stale, worker gone: {', '.join(stale)} (prunectl resume RUN)"
    yield _check("runs", True, text)


def _lease_holder(file: Path) -> dict[str, Any] | None:
    descriptor = try_lock(file)
    if descriptor is None:
        return holder(file) or {"run": "another process"}
    os.close(descriptor)
    return None


def _origin(package: str) -> Path:
    found = find_spec(package)
    origin = found.origin if found else None
    return Path(origin).parent if origin else Path()


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _check(name: str, fit: bool, text: str) -> Check:
    return {"name": name, "ok": fit, "text": text}
