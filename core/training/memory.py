"""Peak memory of a stage."""

from __future__ import annotations

import os
import resource
import sys
import threading
from types import TracebackType

import torch

INTERVAL = 0.1
"""Seconds between two looks at the process (10 Hz)."""


class PeakMemory:
    """``with PeakMemory(device) as peak: ...`` then ``peak.bytes``.

    CUDA: max_memory_allocated within the block. Elsewhere: resident set size of the process,
    sampled at 10 Hz from a thread, its first and last moment included.
    """

    def __init__(self, device: torch.device) -> None:
        self.bytes = 0
        self._device = device
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return self
        self.bytes = resident_bytes()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is None:
            self.bytes = int(torch.cuda.max_memory_allocated(self._device))
            return
        self._done.set()
        self._thread.join()
        self.bytes = max(self.bytes, resident_bytes())

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self.bytes = max(self.bytes, resident_bytes())


def resident_bytes() -> int:
    """Resident set size of this process now (where /proc is missing: its highest so far)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return highest if sys.platform == "darwin" else highest * 1024
