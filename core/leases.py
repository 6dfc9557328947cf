"""Device-slot leases: one training at a time on a device, across all runs folders of a user.

A lease is a locked file in the user's runtime directory; the kernel frees it when its worker dies.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.locks import locked


def runtime_folder() -> Path:
    """``$XDG_RUNTIME_DIR/prunectl``, else a private folder in the temp directory."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK):
        return Path(base) / "prunectl"
    return Path(tempfile.gettempdir()) / f"prunectl-{os.getuid()}"


def lease_path(device: str, slot: int = 0) -> Path:
    """The lock file of one slot of a device ("cpu", "cuda:0")."""
    return runtime_folder() / f"{device.replace(':', '-')}-slot{slot}.lease"


@contextmanager
def lease(
    device: str,
    run: str,
    on_wait: Callable[[dict[str, Any]], None],
    check: Callable[[], None],
    slot: int = 0,
) -> Iterator[None]:
    """Hold the device's slot. ``on_wait`` gets what the holder said, ``check`` may raise."""
    path = lease_path(device, slot)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(path, {"run": run}, on_wait, check):
        yield
