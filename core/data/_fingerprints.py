"""The SHA-256 of each part of a layout, taken while later rows are still being decoded."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from core.data import _npy as npy
from core.data._layout import Layout


class Fingerprints:
    """Hashes rows in their order in one thread of its own, as soon as it is told they are there."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        pixels = np.dtype(np.uint8)
        self._shas = [npy.array_hash(pixels, shape) for shape in layout.shapes()]
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[Future[None]] = []
        self._over = threading.Event()

    def add(self, first: int, stop: int) -> None:
        """The rows first..stop-1, which follow those added before, are in their files."""
        if first < stop:
            self._waiting.append(self._thread.submit(self._hash, first, stop))

    def finish(self) -> list[str]:
        """The digests (hex) part after part, once everything added has been hashed. An error of
        reading is raised here."""
        for future in self._waiting:
            future.result()
        return [sha.hexdigest() for sha in self._shas]

    def stop(self) -> None:
        """End the thread, whatever it has left to do."""
        self._over.set()
        self._thread.shutdown(cancel_futures=True)

    def _hash(self, first: int, stop: int) -> None:
        for number, piece in self._layout.read(first, stop):
            if self._over.is_set():
                return
            self._shas[number].update(piece)
