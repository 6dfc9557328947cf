"""From values to dots and back, and the labels of an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """A range of values, linear or logarithmic; ``low`` is below ``high`` always."""

    low: float
    high: float
    log: bool = False

    def share(self, values: Floats) -> Floats:
        """Where values lie, 0 at ``low`` to 1 at ``high``; what cannot be shown is NaN."""
        values = np.where(np.isfinite(values), values, np.nan)
        if not self.log:
            return (values - self.low) / (self.high - self.low)
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = np.where(values > 0, np.log(values), np.nan)
        return (shown - math.log(self.low)) / (math.log(self.high) - math.log(self.low))

    def value(self, share: float) -> float:
        """The value at a share."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return math.exp(low + share * (high - low))
        return self.low + share * (self.high - self.low)


def scale_of(parts: Iterable[Floats], *, log: bool = False, margin: float = 0.0) -> Scale | None:
    """The range of all that can be shown; None when nothing can."""
    low, high = math.inf, -math.inf
    for part in parts:
        shown = part[np.isfinite(part) & (part > 0)] if log else part[np.isfinite(part)]
        if len(shown):
            low, high = min(low, float(shown.min())), max(high, float(shown.max()))
    if low > high:
        return None
    if log:
        return Scale(low, high, True) if high > low * 1.0001 else Scale(low / 2, high * 2, True)
    if not high - low > 1e-12 * max(abs(low), abs(high)):  # one value, or as good as one
        around = abs(low) * 0.1 or 1.0
        return Scale(low - around, high + around)
    extra = (high - low) * margin
    return Scale(low - extra, high + extra)


def short(value: float) -> str:
    """A label of at most seven characters."""
    if not math.isfinite(value):
        return "?"
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.1e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    if size >= 1000:
        return f"{value:.0f}"
    if size >= 100:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.3f}" if size < 1 else f"{value:.2f}"


def whole(value: float) -> str:
    """A label for counts: no decimals where there are none."""
    is_whole = abs(value) < 1e7 and abs(value - round(value)) < 0.005
    return f"{value:.0f}" if is_whole else short(value)
