"""Checkpoints of one task: never torn, verified before use, the newest two kept.

Data is written to a temporary file in the same folder, synced, renamed; the manifest with its
SHA-256 is written last the same way, so a file without manifest was never finished. States hold
tensors and plain Python only and are read with ``weights_only=True``: a checkpoint cannot run code.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from core.files import disk_errors, fsync_folder, read_json, sha256, write_json

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
            with disk_errors(data):
                write_json(data.with_suffix(".json"), _write_state(data, state))
        except BaseException:
            self._remove_unfinished()
            raise
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
        for temp in [*self.path.glob("*.tmp"), *self.path.glob(".*.tmp")]:
            temp.unlink(missing_ok=True)
        for data in self.path.glob("step-*.pt"):
            if not data.with_suffix(".json").exists():
                data.unlink(missing_ok=True)


def _write_state(data: Path, state: dict[str, Any]) -> dict[str, Any]:
    """Put the data in place; the manifest to write after it is returned."""
    # Through memory: torch's own file writer hides the operating system's error.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    temp = data.with_suffix(".pt.tmp")
    with open(temp, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    # A checkpoint of the same step may be there after a resume: its manifest must go first.
    data.with_suffix(".json").unlink(missing_ok=True)
    os.replace(temp, data)
    fsync_folder(data.parent)
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _verify(data: Path) -> None:
    manifest = read_json(data.with_suffix(".json"))
    if not isinstance(manifest, dict):
        raise ValueError("its manifest cannot be read")
    if data.stat().st_size != manifest.get("bytes") or sha256(data) != manifest.get("sha256"):
        raise ValueError("its checksum does not match")
