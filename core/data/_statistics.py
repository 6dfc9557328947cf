"""Mean and standard deviation of a bank's inputs, in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from core.data._npy import blocks

Floats = npt.NDArray[np.float64]


def statistics(inputs: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(mean, std) of the rows ``ids``: per channel of inputs/255 for images, per feature for
    vectors; population standard deviation, 1 for a constant."""
    mean, std = (_images if inputs.ndim == 4 else _vectors)(inputs, ids)
    # A spread below float32's own resolution is rounding, and dividing by it would blow it up.
    std[(std == 0) | (std <= 1e-6 * np.abs(mean))] = 1.0
    return mean, std


def _images(inputs: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """From a histogram of integers, so exact: block size and order of addition cannot show."""
    channels = inputs.shape[3]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for rows in blocks(inputs, ids):
        for channel in range(channels):
            counts[channel] += np.bincount(rows[..., channel].ravel(), minlength=256)
    values = np.arange(256, dtype=np.int64)
    number = int(counts[0].sum())
    sums = [int(s) for s in counts @ values]
    squares = [int(q) for q in counts @ values**2]
    spread = [number * q - s * s for s, q in zip(sums, squares, strict=True)]
    mean = np.array([s / (255 * number) for s in sums])
    return mean, np.sqrt(np.array([v / (255 * number) ** 2 for v in spread]))


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
