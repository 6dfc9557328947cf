"""Starting a sweep's supervisor."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from core.runs import worker_environment
from core.sweeps import Sweep


def start_supervisor(sweep: Sweep, extra: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """In a session of its own, so that closing the terminal never hurts it."""
    with open(sweep.log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "prunectl.sweep", str(sweep.path), *extra],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=worker_environment(),
        )
