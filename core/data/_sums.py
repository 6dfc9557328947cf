"""Sums over the pixels of pictures, in integers, and what follows from them. NumPy alone: decoding
processes add up what they have just decoded, while it is in their cache."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Sums = npt.NDArray[np.int64]
"""[2, C]: of each channel the sum of the values and the sum of their squares."""

_EXACT_ROWS = 257
"""So many values of 255 add up to 2**16 - 1, and so many squares of them fit in 32 bits."""
_CACHED = 1 << 20


def channel_sums(pixels: npt.NDArray[np.uint8]) -> Sums:
    """Exact sums of pictures uint8 [n,H,W,C], n may be 0.

    Pixels at the same place are added in the narrowest integers that cannot overflow, which is
    several times as fast as in wide ones or in floats.
    """
    channels = pixels.shape[3]
    total = np.zeros((2, channels), dtype=np.int64)
    rows = pixels.reshape(len(pixels), int(np.prod(pixels.shape[1:])))
    step = max(1, min(_EXACT_ROWS, _CACHED // max(1, rows.shape[1])))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        squares = np.multiply(some, some, dtype=np.uint16)
        columns = (
            np.add.reduce(some, axis=0, dtype=np.uint16),
            np.add.reduce(squares, axis=0, dtype=np.uint32),
        )
        total += [column.reshape(-1, channels).sum(axis=0, dtype=np.int64) for column in columns]
    return total


def moments(sums: Sums, pixels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(mean, population standard deviation) of values/255 by channel; ``pixels`` were added up."""
    pairs = [(int(total), int(squares)) for total, squares in sums.T]
    mean = np.array([total / (255 * pixels) for total, _ in pairs])
    variance = np.array([(pixels * q - s * s) / (255 * pixels) ** 2 for s, q in pairs])
    return mean, np.sqrt(variance)
