"""Mean and standard deviation of a bank's inputs, in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from core.data._npy import blocks
from core.data._sums import Sums, channel_sums, moments

Floats = npt.NDArray[np.float64]


def statistics(inputs: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(mean, std) of the rows ``ids``: per channel of inputs/255 for images, per feature for
    vectors; population standard deviation, 1 for a constant."""
    if inputs.ndim != 4:
        return _scale(*_vectors(inputs, ids))
    sums = np.zeros((2, inputs.shape[3]), dtype=np.int64)
    for block in blocks(inputs, ids):
        sums += channel_sums(block)
    return scale_of(sums, len(ids) * inputs.shape[1] * inputs.shape[2])


def scale_of(sums: Sums, pixels: int) -> tuple[Floats, Floats]:
    """The same of images whose ``pixels`` have been added up to ``sums``. From sums of integers, so
    block size and order of addition cannot show."""
    return _scale(*moments(sums, pixels))


def _scale(mean: Floats, std: Floats) -> tuple[Floats, Floats]:
    # A spread below float32's own resolution is rounding, and dividing by it would blow it up.
    std[(std == 0) | (std <= 1e-6 * np.abs(mean))] = 1.0
    return mean, std


def _vectors(inputs: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Two passes: the one-pass formula loses all digits of a feature with a large mean."""
    mean = np.zeros(inputs.shape[1])
    for rows in blocks(inputs, ids):
        mean += rows.sum(axis=0, dtype=np.float64)
    mean /= len(ids)
    variance = np.zeros(inputs.shape[1])
    for rows in blocks(inputs, ids):
        variance += ((rows - mean) ** 2).sum(axis=0)
    return mean, np.sqrt(variance / len(ids))
