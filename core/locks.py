"""Advisory file locks that die with their process, and who a process is.

``flock`` is released by the kernel when the holder dies, however it dies, so no lock is ever stale.
The lock file's content only says whom one waits for.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.files import disk_errors

POLL_SECONDS = 0.2


def try_lock(path: Path, about: dict[str, Any] | None = None) -> int | None:
    """Lock ``path`` if it is free; the descriptor (close it to unlock), else None."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps({"pid": os.getpid(), **(about or {})}).encode())
    return descriptor


def share(path: Path) -> int:
    """Lock ``path`` together with all others who share it; waits while somebody holds it alone.
    The descriptor: close it to unlock."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def holder(path: Path) -> dict[str, Any]:
    """What the holder wrote about itself; empty when unknown."""
    try:
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return plain if isinstance(plain, dict) else {}


@contextmanager
def locked(
    path: Path,
    about: dict[str, Any] | None = None,
    on_wait: Callable[[dict[str, Any]], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold the lock; while waiting call ``on_wait`` once and ``check`` often (it may raise)."""
    descriptor = try_lock(path, about)
    if descriptor is None:
        on_wait(holder(path))
    while descriptor is None:
        check()
        time.sleep(POLL_SECONDS)
        descriptor = try_lock(path, about)
    try:
        yield
    finally:
        os.close(descriptor)


def process_start(pid: int) -> str | None:
    """When a process started, in an opaque form that tells it from a later one with the same pid;
    None when there is no such process (a zombie counts as gone)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else fields[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return None
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or None


def hostname() -> str:
    """This host's name."""
    return socket.gethostname()
