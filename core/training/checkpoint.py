"""Checkpoints of one task: never torn, verified before use, the newest two kept.

Data is written to a temporary file in the same folder, synced, renamed; the manifest with its
SHA-256 is written last the same way, so a file without manifest was never finished. States hold
tensors and plain Python only and are read with ``weights_only=True``: a checkpoint cannot run code.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from core.errors import DiskFull, MachineError

KEEP = 2


class CheckpointFolder:
    """The checkpoints of one training.

    ``every_s``: longest time without one inside an epoch; at epoch ends one is due when
    ``min(every_s, epoch_every_s)`` has passed. ``warn`` gets one line per unusable checkpoint.
    """

    def __init__(
        self,
        path: Path,
        every_s: float,
        epoch_every_s: float = 10.0,
        *,
        warn: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._every = every_s
        self._epoch_every = min(every_s, epoch_every_s)
        self._warn = warn or (lambda text: None)
        self._clock = clock
        self._last = clock()
        path.mkdir(parents=True, exist_ok=True)
        self._remove_unfinished()

    def due(self, in_epoch: bool) -> bool:
        """Whether a checkpoint should be written now."""
        wait = self._every if in_epoch else self._epoch_every
        return self._clock() - self._last >= wait

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state`` (with an int ``"step"``). No space: DiskFull; the older ones stay."""
        data = self.path / f"step-{state['step']:012d}.pt"
        try:
            manifest = json.dumps(_write_state(data, state))
            _write_atomically(data.with_suffix(".json"), manifest.encode())
        except (OSError, RuntimeError) as error:
            self._remove_unfinished()
            raise _explained(error, self.path) from error
        for old in self._steps()[KEEP:]:
            self._remove(old)
        self._last = self._clock()

    def latest(self) -> dict[str, Any] | None:
        """The newest state that is whole, on the CPU; bad ones are reported and passed over."""
        for data in self._steps():
            try:
                _verify(data)
                state: dict[str, Any] = torch.load(data, map_location="cpu", weights_only=True)
            except Exception as error:  # whatever a damaged file provokes, the older one may do
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                self._warn(f"checkpoint {data.name} is unusable ({reason}); trying an older one")
                continue
            return state
        return None

    def clear(self) -> None:
        """Remove all checkpoints: the stage is sealed."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _steps(self) -> list[Path]:
        """Finished checkpoints, newest first."""
        return sorted((m.with_suffix(".pt") for m in self.path.glob("step-*.json")), reverse=True)

    def _remove(self, data: Path) -> None:
        data.with_suffix(".json").unlink(missing_ok=True)
        data.unlink(missing_ok=True)

    def _remove_unfinished(self) -> None:
        for temp in self.path.glob("*.tmp"):
            temp.unlink(missing_ok=True)
        for data in self.path.glob("step-*.pt"):
            if not data.with_suffix(".json").exists():
                data.unlink(missing_ok=True)


def _write_state(data: Path, state: dict[str, Any]) -> dict[str, Any]:
    temp = data.with_suffix(".pt.tmp")
    with open(temp, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    manifest = {"sha256": _sha256(temp), "bytes": temp.stat().st_size}
    # A checkpoint of the same step may be there after a resume: its manifest must go first.
    data.with_suffix(".json").unlink(missing_ok=True)
    os.replace(temp, data)
    _sync_folder(data.parent)
    return manifest


def _write_atomically(path: Path, content: bytes) -> None:
    temp = path.with_suffix(".json.tmp")
    with open(temp, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temp, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(data: Path) -> None:
    manifest = json.loads(data.with_suffix(".json").read_text(encoding="utf-8"))
    if data.stat().st_size != manifest["bytes"] or _sha256(data) != manifest["sha256"]:
        raise ValueError("its checksum does not match")


def _explained(error: Exception, folder: Path) -> Exception:
    """torch.save hides the operating system's error in a RuntimeError; look at the disk itself."""
    free = shutil.disk_usage(folder).free
    number = getattr(error, "errno", None)
    hidden = isinstance(error, RuntimeError) and (free < 1 << 20 or "write" in str(error).lower())
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or hidden:
        return DiskFull(
            f"no space for a checkpoint in {folder} ({free / 1e6:.0f} MB free)",
            "make room and resume the run",
        )
    if isinstance(error, OSError):
        return MachineError(f"cannot write a checkpoint in {folder}: {error.strerror}")
    return error
