"""Mean and standard deviation of a bank's inputs, in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from core.data._npy import blocks

Floats = npt.NDArray[np.float64]
_EXACT_ROWS = 256
_CACHED = 1 << 18
"""Numbers converted at a time: one MiB of float32."""


def statistics(inputs: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(mean, std) of the rows ``ids``: per channel of inputs/255 for images, per feature for
    vectors; population standard deviation, 1 for a constant."""
    mean, std = (_images if inputs.ndim == 4 else _vectors)(inputs, ids)
    # A spread below float32's own resolution is rounding, and dividing by it would blow it up.
    std[(std == 0) | (std <= 1e-6 * np.abs(mean))] = 1.0
    return mean, std


def _images(inputs: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """From sums of integers, so exact: block size and order of addition cannot show.

    Float32 holds integers up to 2**24, and 257 * 255**2 is below that: so many rows are added in
    float32, which is ten times as fast as in integers, and these sums in integers.
    """
    channels = inputs.shape[3]
    sums, squares = np.zeros(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64)
    for block in blocks(inputs, ids):
        rows = block.reshape(len(block), -1)
        step = max(1, min(_EXACT_ROWS, _CACHED // rows.shape[1]))
        for start in range(0, len(rows), step):
            some = rows[start : start + step].astype(np.float32)
            sums += _by_channel(np.einsum("ij->j", some), channels)
            squares += _by_channel(np.einsum("ij,ij->j", some, some), channels)
    number = len(ids) * inputs.shape[1] * inputs.shape[2]
    totals = [(int(s), int(q)) for s, q in zip(sums, squares, strict=True)]
    mean = np.array([s / (255 * number) for s, _ in totals])
    variance = np.array([(number * q - s * s) / (255 * number) ** 2 for s, q in totals])
    return mean, np.sqrt(variance)


def _by_channel(columns: npt.NDArray[np.float32], channels: int) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = columns.astype(np.int64).reshape(-1, channels).sum(axis=0)
    return found


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
