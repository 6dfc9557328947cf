"""What a few seeds can tell: mean, spread, paired t intervals, and saying so in words.

Differences are paired by seed, because methods of one seed share subset, initialisation and order.
Undefined is None: no spread from one seed, no interval below three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MIN_SEEDS = 3


@dataclass(frozen=True)
class Summary:
    """``mean`` and ``std`` (ddof 1; None for n = 1) of ``n`` values; mean None for n = 0."""

    mean: float | None
    std: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """Mean of ``n`` paired differences and its interval (both ends None where undefined)."""

    mean: float
    ci_low: float | None
    ci_high: float | None
    n: int


def summarise(values: Sequence[float]) -> Summary:
    """Mean and sample standard deviation."""
    n = len(values)
    if n == 0:
        return Summary(None, None, 0)
    std = float(np.std(values, ddof=1)) if n > 1 else None
    return Summary(float(np.mean(values)), std, n)


def paired(
    values: Mapping[int, float], others: Mapping[int, float], level: float = 0.95
) -> Difference | None:
    """``values - others``, both by seed, over the seeds they share; None when they share none.

    The interval is Student's t on the differences, from three seeds on. When all differences are
    one and the same value other than 0, their spread says nothing and no interval is given.
    """
    seeds = sorted(values.keys() & others.keys())
    if not seeds:
        return None
    apart = np.array([values[s] - others[s] for s in seeds], dtype=np.float64)
    n, mean = len(apart), float(apart.mean())
    if n < MIN_SEEDS:
        return Difference(mean, None, None, n)
    std = float(apart.std(ddof=1))
    scale = max(abs(v) for s in seeds for v in (values[s], others[s]))
    if std <= 1e-12 * scale:  # equal up to the rounding of the subtraction
        same = abs(mean) <= 1e-12 * scale
        return Difference(mean, mean, mean, n) if same else Difference(mean, None, None, n)
    half = _t_quantile((1 + level) / 2, n - 1) * std / math.sqrt(n)
    return Difference(mean, mean - half, mean + half, n)


def distinguishable(difference: Difference | None) -> bool | None:
    """Whether the interval leaves out zero; None where there is no interval."""
    if difference is None or difference.ci_low is None or difference.ci_high is None:
        return None
    return difference.ci_low > 0 or difference.ci_high < 0


def words(difference: Difference | None, other: str = "random") -> str:
    """One phrase in percentage points, for differences of fractions."""
    if difference is None:
        return f"not compared with {other}"
    mean, n = difference.mean, difference.n
    apart = distinguishable(difference)
    if apart is None or difference.ci_low is None or difference.ci_high is None:
        why = f"n = {n}, no interval"
        if n >= MIN_SEEDS:
            why = f"the same in all {n} seeds, no interval"
        return f"{100 * mean:+.2f} points against {other}, {why}"
    interval = f"95% CI {100 * difference.ci_low:+.2f} to {100 * difference.ci_high:+.2f}, n = {n}"
    if not apart:
        return f"not distinguishable from {other} ({100 * mean:+.2f} points, {interval})"
    return (
        f"{'above' if mean > 0 else 'below'} {other} by {100 * abs(mean):.2f} points ({interval})"
    )


def _t_quantile(probability: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))
