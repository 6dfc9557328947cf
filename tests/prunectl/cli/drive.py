"""The command line with a fake worker, as a process of its own: ``drive.py SCENARIO ARGS...``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import prunectl.cli.control
import prunectl.cli.run
from core.runs import Run
from prunectl.cli.main import main

FAKE = Path(__file__).parent.parent / "fake_worker.py"


def start(run: Run, extra: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """In the place of core.runs.start_worker."""
    command = [sys.executable, str(FAKE), str(run.path), scenario, *extra]
    # As the real one: a worker that outlives its front end must not hold the front end's streams.
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


scenario = sys.argv.pop(1)
for module in (prunectl.cli.run, prunectl.cli.control):
    module.start_worker = start  # type: ignore[attr-defined]  # each of them imports it
main()
