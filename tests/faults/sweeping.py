"""Runs supervisors of sweeps, kills them and their workers, and sees what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faults.harness import outcome, wait_until

from core import events as ev
from core.journal import read
from core.sweep_spec import parse_sweep
from core.sweeps import Sweep, create_sweep
from prunectl.sweep.options import Options
from prunectl.sweep.start import start_supervisor

SPEC: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digits", "test_fraction": 0.3},
    "model": {"name": "linear"},
    "subset": {"fraction": 0.1},
    "seeds": [0],
    "train": {"epochs": "4ep", "batch": 64},
    "score": {"name": "el2n", "preset": "ccs", "epoch": 0, "span": 2},
    "extrapolate": {"name": "knn"},
    "prune": {"rates": [0.5]},
    "baselines": ["random", "full"],
    "compute": {"device": "cpu", "threads": 1, "checkpoint_every": "0s"},
    "tracking": {"enabled": False},
    "sweep": {
        "axes": {"extrapolate.k": [5, 10], "prune.policy": ["top_k", "class_balanced"]},
    },
}


def make_sweep(runs: Path, options: Options | None = None, **changes: Any) -> Sweep:
    """A new sweep of the tiny spec with some sections replaced."""
    spec = parse_sweep({**SPEC, **changes})
    return create_sweep(runs, spec, (options or Options(jobs=2)).to_dict())


def start(sweep: Sweep, *extra: str) -> subprocess.Popen[bytes]:
    """Start a supervisor."""
    return start_supervisor(sweep, extra)


def finish(process: subprocess.Popen[bytes], sweep: Sweep) -> int:
    """Wait for a supervisor, and that nothing of its session is left; its exit code."""
    try:
        code = process.wait(120)
    except subprocess.TimeoutExpired:
        kill_session(process.pid)
        raise TimeoutError(f"the supervisor hangs: {sweep.log.read_text()[-2000:]}") from None
    wait_until(lambda: not session_of(process.pid), 40)
    return code


def work(sweep: Sweep, *extra: str) -> int:
    """Supervise to the end in a process; its exit code."""
    return finish(start(sweep, *extra), sweep)


def session_of(leader: int) -> dict[int, str]:
    """Living processes of a supervisor's session, with their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                text = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] not in ("Z", "X"):
                found[int(folder.name)] = text
    return found


def workers_of(leader: int) -> list[int]:
    """Processes that were forked to compute: children of the fork server."""
    servers = [p for p, text in session_of(leader).items() if "forkserver" in text]
    return [p for p in session_of(leader) if p != leader and _parent(p) in servers]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kill_session(leader: int) -> None:
    """Leave nothing of a supervisor's session behind."""
    for pid in session_of(leader):
        os.kill(pid, signal.SIGKILL)


def lines(sweep: Sweep) -> int:
    """Whole lines of the journal."""
    return sweep.journal.read_bytes().count(b"\n") if sweep.journal.exists() else 0


def wait_for_lines(sweep: Sweep, process: subprocess.Popen[bytes], count: int) -> None:
    """Until the journal has so many lines, or the supervisor is gone."""
    end = time.monotonic() + 60
    while lines(sweep) < count and process.poll() is None:
        if time.monotonic() > end:
            raise TimeoutError("the journal does not grow")
        time.sleep(0.002)


def outcomes(sweep: Sweep) -> dict[str, dict[str, Any]]:
    """By cell, everything that two equal runs share."""
    return {run.path.name: outcome(run) for run in sweep.ended_cells()}


def computed(sweep: Sweep) -> Mapping[str, int]:
    """By store key, how often the sweep's journal says that it was computed."""
    return Counter(
        r.event.key
        for r in read(sweep.journal)
        if isinstance(r.event, ev.TaskFinished) and not r.event.reused
    )
