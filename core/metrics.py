"""How well scores agree: rank correlation, its interval, and what a kept set caught.

NumPy only. A figure that is undefined (a constant side, fewer than two samples, a value that is not
finite) is None, never NaN.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.selection.base import highest

Doubles = NDArray[np.float64]
Ids = NDArray[np.int64]

Z80 = 1.2815516  # a normal variable lies within this many deviations with probability 0.8
MIN_SAMPLES = 50  # below this a percentile interval promises more than it knows


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


def pearson(x: ArrayLike, y: ArrayLike) -> float | None:
    """Pearson correlation of two ``[n]`` vectors, or None where it is undefined."""
    a, b = _pair(x, y)
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    return _correlation(a, b, np.ones(len(a)))


def spearman(x: ArrayLike, y: ArrayLike) -> float | None:
    """Spearman's rank correlation with midranks for ties, or None where it is undefined."""
    a, b = _pair(x, y)
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    return _correlation(midranks(a), midranks(b), np.ones(len(a)))


def midranks(values: ArrayLike) -> Doubles:
    """Ranks 1..n of ``[n]`` values; equal values share the mean of their ranks."""
    _, group, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return _ranks(counts)[group]


def bootstrap_interval(
    x: ArrayLike,
    y: ArrayLike,
    kind: Literal["spearman", "pearson"],
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval | None:
    """Percentile bootstrap over samples of a correlation of two ``[n]`` vectors.

    None below n = 50 or where the correlation is undefined. A draw is held as the number of times
    each sample was drawn; midranks of the drawn sample then follow from cumulated counts of the
    values sorted once, so a draw costs O(n) and no sort.
    """
    a, b = _pair(x, y)
    if len(a) < MIN_SAMPLES or pearson(a, b) is None:
        return None
    if kind == "spearman":
        a, b = midranks(a), midranks(b)
    groups_a, groups_b = _groups(a), _groups(b)
    values = []
    for _ in range(draws):
        times = np.bincount(rng.integers(len(a), size=len(a)), minlength=len(a)).astype(float)
        if kind == "spearman":
            a = _ranks(np.bincount(groups_a, times))[groups_a]
            b = _ranks(np.bincount(groups_b, times))[groups_b]
        value = _correlation(a, b, times)
        if value is not None:
            values.append(value)
    if not values:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def coverage80(values: ArrayLike, std: ArrayLike, truth: ArrayLike) -> float | None:
    """Share of ``truth`` ``[n]`` within the normal 80% interval of ``values`` and ``std`` ``[n]``;
    None where nothing is known."""
    centre, spread = _pair(values, std)
    real, _ = _pair(truth, std)
    known = np.isfinite(centre) & np.isfinite(spread) & np.isfinite(real)
    if not known.any():
        return None
    return float((np.abs(real - centre)[known] <= Z80 * spread[known]).mean())


def kept_recall(kept: Ids, reference: ArrayLike) -> float | None:
    """Share of the best ``len(kept)`` samples by ``reference`` ``[N]`` (higher = keep) in ``kept``.

    Ties of the reference go to the lowest id, as in selection. None when nothing was kept.
    """
    scores = np.asarray(reference)
    if not len(kept):
        return None
    return subset_share(highest(scores, len(kept)), kept)


def subset_share(kept: Ids, subset: Ids) -> float | None:
    """Share of the ``kept`` ids that lie in ``subset``; None when nothing was kept."""
    if not len(kept):
        return None
    return float(np.isin(kept, subset).mean())


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Doubles, Doubles]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"two vectors of one length are needed, got {a.shape} and {b.shape}")
    return a, b


def _groups(values: Doubles) -> Ids:
    """For each value, the position of its level among the sorted distinct ones."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _ranks(counts: NDArray[np.generic]) -> Doubles:
    """Midrank of each level, from how often each of the sorted levels occurs."""
    sizes = np.asarray(counts, dtype=np.float64)
    return np.cumsum(sizes) - (sizes - 1) / 2


def _correlation(a: Doubles, b: Doubles, times: Doubles) -> float | None:
    """Pearson correlation of samples that occur ``times`` often."""
    a, b = _centred(a, times), _centred(b, times)
    spread_a, spread_b = float(times @ (a * a)), float(times @ (b * b))
    # what rounding alone leaves of a constant, values being scaled to at most one
    floor = float(times.sum()) * (4 * np.finfo(np.float64).eps) ** 2
    if spread_a <= floor or spread_b <= floor:
        return None
    value = float(times @ (a * b)) / float(np.sqrt(spread_a) * np.sqrt(spread_b))
    return min(1.0, max(-1.0, value))


def _centred(values: Doubles, times: Doubles) -> Doubles:
    """Scaled to at most one, so that no square overflows, then freed of the mean."""
    scaled = values / (float(np.abs(values).max()) or 1.0)
    return scaled - float(times @ scaled) / float(times.sum())
