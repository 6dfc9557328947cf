"""The first samples of an order: by value, or of a shuffle; and percentiles. Pure.

Samples are looked at piece by piece: of a million only those in sight are sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
Shares = NDArray[np.float32]
_PIECE = 1 << 16


@dataclass(frozen=True, eq=False)
class Order:
    """The first ids of one side, of ``total``."""

    title: str
    ids: Ids
    total: int


def first_by(
    title: str, values: NDArray[Any], chosen: Mask, most: int, up: int, *,
    last: bool = False,
) -> Order:  # fmt: skip
    """The ``most`` chosen samples with the largest finite value (``up`` -1: the smallest), ties by
    id (``last``: the larger id first). Piece by piece: of a million only some are sorted."""
    best, ranks, total = np.empty(0, dtype=np.int64), np.empty(0, dtype=values.dtype), 0
    for start in range(0, len(values), _PIECE):
        piece = values[start : start + _PIECE]
        own = np.flatnonzero(chosen[start : start + _PIECE] & np.isfinite(piece))
        total += len(own)
        ids, keys = np.append(best, own + start), np.append(ranks, -up * piece[own])
        order = np.lexsort((-ids if last else ids, keys))[:most]
        best, ranks = ids[order], keys[order]
    return Order(title, best, total)


def first_among(title: str, order: Ids, chosen: Mask, most: int) -> Order:
    """The first ``most`` ids of an order that are chosen."""
    found: list[Ids] = []
    for start in range(0, len(order), _PIECE):
        if sum(map(len, found)) >= most:
            break
        piece = order[start : start + _PIECE]
        found.append(piece[chosen[piece]])
    ids = np.concatenate(found) if found else np.empty(0, dtype=np.int64)
    return Order(title, ids[:most], int(np.count_nonzero(chosen)))


def shares_below(values: NDArray[Any], among: Mask) -> Shares:
    """The share of the values ``among`` that lie below each of them, NaN elsewhere; equal values
    share the middle of their ranks."""
    found = np.full(len(values), np.nan, dtype=np.float32)
    ordered = np.sort(values[among])
    for start in range(0, len(values), _PIECE):
        piece = slice(start, start + _PIECE)
        own = values[piece][among[piece]]
        low = np.searchsorted(ordered, own, "left")
        both = low + np.searchsorted(ordered, own, "right") - 1
        found[piece][among[piece]] = both / 2 / max(len(ordered) - 1, 1)
    return found
