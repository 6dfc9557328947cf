"""Keep any, unless it is told to go wrong: for tests of what a failing cell does to others."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.selection.base import Ids, SelectionInput


@dataclass(frozen=True)
class Params:
    how: str = "fine"
    """fine, raise, oom, exit, segfault, kill or hang; all is fine where a file says so."""
    mended: str = ""
    """A file; where it is, nothing goes wrong any more."""


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """The first ``n_keep`` of a permutation."""
    params = table.params
    assert isinstance(params, Params)
    if not Path(params.mended).is_file():
        _go_wrong(params.how)
    return np.sort(rng.permutation(len(table))[:n_keep]).astype(np.int64)


def _go_wrong(how: str) -> None:
    if how == "raise":
        raise ValueError("planted")
    if how == "oom":
        raise MemoryError("planted: not enough memory")
    if how == "exit":
        os._exit(7)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        time.sleep(10_000)
