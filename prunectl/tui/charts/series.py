"""A curve before it is drawn: thinned out, smoothed, counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GLYPHS = "●◆▲■✚▼★◇"
ASCII_GLYPHS = "o*+x#%&@"
# Which dots of a line are drawn, by its number: solid, dashed, dotted, dash-dot and so on.
DASHES = ("1", "1110", "10", "111010", "11110000", "1000", "110", "11111100")


@dataclass(frozen=True)
class Curve:
    """One series: x and y ``[n]`` float64, x rising; NaN and infinity in y are gaps."""

    name: str
    x: Floats
    y: Floats
    number: int = 0
    """Which colour, dash and glyph it has."""

    @property
    def style(self) -> str:
        """Its colour by the theme's name."""
        return f"s{self.number % 8 + 1}"

    @property
    def dash(self) -> str:
        """Its dash."""
        return DASHES[self.number % len(DASHES)]

    def glyph(self, plain: bool) -> str:
        """The character that stands for it."""
        glyphs = ASCII_GLYPHS if plain else GLYPHS
        return glyphs[self.number % len(glyphs)]


def decimate(y: Floats, columns: int) -> NDArray[np.intp]:
    """Indices of y ``[n]`` worth drawing on so many columns: the smallest and the largest of each
    column's share, the first and last of all, and one that is not finite where there is any."""
    n = len(y)
    if n <= 2 * columns:
        return np.arange(n)
    each = -(-n // columns)
    bins = -(-n // each)
    padded = np.full(bins * each, np.nan)
    padded[:n] = y
    table = padded.reshape(bins, each)
    finite = np.isfinite(table)
    low = np.where(finite, table, np.inf).argmin(axis=1)
    high = np.where(finite, table, -np.inf).argmax(axis=1)
    start = np.arange(bins) * each
    gaps = (~finite).argmax(axis=1)  # 0 where there is none: then the bin's first, harmless
    found = np.concatenate([start + low, start + high, start + gaps, [0, n - 1]])
    return np.unique(found[found < n])


def smooth(y: Floats, window: int) -> Floats:
    """The mean of the finite values in a centred window of so many points; gaps stay gaps."""
    if window < 2 or len(y) < 3:
        return y
    finite = np.isfinite(y)
    total = np.concatenate([[0.0], np.cumsum(np.where(finite, y, 0.0))])
    count = np.concatenate([[0], np.cumsum(finite)])
    at = np.arange(len(y))
    first = np.maximum(at - window // 2, 0)
    last = np.minimum(at + window // 2 + 1, len(y))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (total[last] - total[first]) / (count[last] - count[first])
    return np.where(finite, mean, np.nan)


def value_at(curve: Curve, x: float) -> float | None:
    """The value of the point nearest to x, None where there is none or it is not finite."""
    if not len(curve.x):
        return None
    right = int(np.searchsorted(curve.x, x))
    near = [i for i in (right - 1, right) if 0 <= i < len(curve.x)]
    index = min(near, key=lambda i: abs(float(curve.x[i]) - x))
    value = float(curve.y[index])
    return value if np.isfinite(value) else None
