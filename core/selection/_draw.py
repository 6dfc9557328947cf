"""Weighted draws without replacement, shared by the policies that sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.selection.base import Ids


def weighted(log_weights: NDArray[np.float64], n: int, rng: np.random.Generator) -> Ids:
    """``n`` unique positions, drawn one after the other in proportion to exp(``log_weights``)
    ``[N]``; sorted. O(N): the n largest of log weight plus a Gumbel number (Efraimidis and
    Spirakis 2006). Where fewer than n weights are above zero (-inf), the rest is drawn evenly.
    """
    count = len(log_weights)
    uniform = rng.random(count)
    with np.errstate(divide="ignore"):
        keys = log_weights - np.log(-np.log(uniform))
    possible = np.isfinite(log_weights)
    # those of weight zero come after all others, in an order of their own
    keys = np.where(possible, keys, uniform)
    if n >= count:
        return np.arange(count, dtype=np.int64)
    able = np.flatnonzero(possible)
    if n <= len(able):
        chosen = able[np.argpartition(-keys[able], n - 1)[:n]]
    else:
        rest = np.flatnonzero(~possible)
        missing = n - len(able)
        chosen = np.concatenate([able, rest[np.argpartition(keys[rest], missing - 1)[:missing]]])
    return np.sort(chosen).astype(np.int64)
