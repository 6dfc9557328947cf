"""Keep the highest scores of every class, pruning all classes at the same rate."""

from __future__ import annotations

import numpy as np

from core.selection.base import Ids, SelectionInput

NEEDS = ("labels",)

FORMULA = "the best of each class, in proportion to its size, n in all"
WHEN = "data with unequal classes, or a score that empties some"


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """The best of each class by score, ties to the lowest id, ``n_keep`` in all.

    Every class keeps its share n_keep * size / N; what rounding down leaves over goes, one each,
    to the classes with the largest remainder (the lowest label first where equal). Unlabelled
    samples (-1) count as one class.
    """
    if table.labels is None:
        raise ValueError("class_balanced needs labels")
    classes, group, sizes = np.unique(table.labels, return_inverse=True, return_counts=True)
    kept = quotas(sizes.astype(np.int64), n_keep)
    ids = np.arange(len(table))
    order = np.lexsort((ids, -table.score, group))  # class by class, best first
    start = np.cumsum(sizes) - sizes
    place = ids - start[group[order]]  # 0 is the best of its class
    return np.sort(order[place < kept[group[order]]]).astype(np.int64)


def quotas(sizes: Ids, n_keep: int) -> Ids:
    """``n_keep`` shared out in proportion to ``sizes`` ``[C]`` by largest remainder, exactly."""
    share = sizes * n_keep  # integers: shares and remainders are exact over the total
    kept: Ids = share // sizes.sum()
    remainder = share % sizes.sum()
    first = np.lexsort((np.arange(len(sizes)), -remainder))
    kept[first[: n_keep - int(kept.sum())]] += 1
    return kept
