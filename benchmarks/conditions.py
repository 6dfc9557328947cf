"""On what a benchmark ran, and how much of the machine others took meanwhile."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

QUIET = 0.05
"""Share of all cores that others may take in a measurement that counts."""


class Others:
    """``with Others() as others: ...`` then ``others.share``: the share of all cores' time that
    processes other than this one and its children took (Linux; 0 elsewhere)."""

    share = 0.0

    def __enter__(self) -> Others:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin a measurement."""
        self._before = time.perf_counter(), _busy(), _own()

    def stop(self) -> None:
        """End it: sets ``share``."""
        start, busy, own = self._before
        passed = (time.perf_counter() - start) * (os.cpu_count() or 1)
        self.share = max(0.0, (_busy() - busy - (_own() - own)) / passed)

    def __str__(self) -> str:
        return f"others took {self.share:.1%} of the machine"


def wait_for_quiet(limit_s: float = 300.0) -> None:
    """Return when others have left the machine alone for three seconds, or after the limit."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        with Others() as others:
            time.sleep(3.0)
        if others.share < QUIET:
            return


def machine(*packages: str, threads: int | None = None) -> str:
    """Processor, cores, Python and the versions of ``packages``, in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    parts = [names[0] if names else platform.machine(), f"{os.cpu_count()} cores"]
    parts += [f"{threads} threads"] if threads else []
    parts += [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in packages)]
    return ", ".join(parts)


def _busy() -> float:
    """Seconds of all cores that were not idle since the machine started."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _, _, irq, soft, steal, *_ = map(
        int, stat.read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
