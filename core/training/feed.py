"""From a bank to batches on the device: resident when it fits, else streamed with prefetch."""

from __future__ import annotations

import os
import queue
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.data.bank import SampleBank
from core.training.devices import Compute

Ids = NDArray[np.int64]
_AHEAD = 3
"""Batches a streaming feed reads ahead."""


class Feed:
    """A bank seen from a device.

    ``resident``: None decides by size (half of the free memory is the limit), True and False
    force it. On the CPU a resident bank is its memory map, not a copy.
    """

    def __init__(self, bank: SampleBank, compute: Compute, resident: bool | None = None) -> None:
        self.bank = bank
        self.compute = compute
        self.device = compute.device
        self.input_shape = bank.input_shape
        self.targets = torch.from_numpy(np.array(bank.targets)).to(self.device)
        fits = bank.inputs.nbytes <= _free_bytes(self.device) // 2
        self.resident = fits if resident is None else resident
        self._inputs = _as_tensor(bank.inputs).to(self.device) if self.resident else None
        # (raw - mean) / std as one multiply-add: raw * scale + shift, in the units of the raw data
        mean, std = np.asarray(bank.mean, np.float64), np.asarray(bank.std, np.float64)
        unit = 255.0 if len(self.input_shape) == 3 else 1.0
        self._scale = torch.from_numpy((1 / (std * unit)).astype(np.float32)).to(self.device)
        self._shift = torch.from_numpy((-mean / std).astype(np.float32)).to(self.device)

    def __len__(self) -> int:
        return len(self.bank)

    def raw_batches(self, ids: Ids | None, batch: int, start: int = 0) -> Iterator[Tensor]:
        """Raw inputs (uint8 ``[B, H, W, C]`` or float32 ``[B, D]``) on the device.

        In the order of ``ids`` (None: all, in order), from position ``start`` on.
        """
        if self._inputs is None:
            return self._streamed(np.arange(len(self)) if ids is None else ids, batch, start)
        return self._gathered(self._inputs, ids, batch, start)

    def normalise(self, raw: Tensor) -> Tensor:
        """float32 network input: channels-last ``[B, C, H, W]``, or ``[B, D]``."""
        x = torch.addcmul(self._shift, raw.float(), self._scale)
        return x.permute(0, 3, 1, 2) if x.dim() == 4 else x

    def _gathered(
        self, inputs: Tensor, ids: Ids | None, batch: int, start: int
    ) -> Iterator[Tensor]:
        if ids is None:
            yield from (inputs[at : at + batch] for at in range(start, len(inputs), batch))
            return
        order = torch.from_numpy(ids).to(self.device)
        for at in range(start, len(ids), batch):
            yield inputs.index_select(0, order[at : at + batch])

    def _streamed(self, ids: Ids, batch: int, start: int) -> Iterator[Tensor]:
        """Batches read by a thread, a few ahead; the copy to the device overlaps with compute."""
        ready: queue.Queue[Tensor | BaseException] = queue.Queue(_AHEAD)
        stop = threading.Event()
        pin = self.device.type == "cuda"

        def read() -> None:
            try:
                for at in range(start, len(ids), batch):
                    rows = torch.from_numpy(self.bank.inputs[ids[at : at + batch]])
                    if not _put(ready, rows.pin_memory() if pin else rows, stop):
                        return
            except BaseException as error:  # handed over and raised where the batch is used
                _put(ready, error, stop)

        reader = threading.Thread(target=read, name="feed", daemon=True)
        reader.start()
        try:
            for _ in range(start, len(ids), batch):
                rows = ready.get()
                if isinstance(rows, BaseException):
                    raise rows
                yield rows.to(self.device, non_blocking=pin)
        finally:
            stop.set()
            reader.join()


def _put(ready: queue.Queue[Any], item: object, stop: threading.Event) -> bool:
    """Put, unless nobody wants batches any more."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _as_tensor(array: NDArray[Any]) -> Tensor:
    """The array without a copy. Banks are read-only maps and nothing here writes to them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(array))


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
