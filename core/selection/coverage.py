"""Coverage-centric selection (CCS, 2210.15809): cut off the hardest, then keep some of every score.

(1) The share ``cutoff`` of all samples that is hardest by the score ``by`` is dropped (AUM: the
lowest, which are likely mislabelled). (2) The scores of the rest are cut into ``strata`` bins of
equal width. (3) The budget goes to the bins from the smallest to the largest: each gets what it
has, but at most an equal part of what is left. (4) Inside a bin samples are drawn evenly.

The authors retrain with equal steps at every rate (retrain.budget: steps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.selection._cutoff import cutoff_at, without_hardest
from core.selection.base import Ids, SelectionInput

COMPANION = "by"
FORMULA = "drop the cutoff N hardest by another score; equal budgets for bins of equal width"
WHEN = "high rates (80% and more), data with wrong labels"


@dataclass(frozen=True)
class Params:
    """What is cut off, and how finely the rest is covered."""

    cutoff: float | str = 0.0
    """Share of all samples dropped as hardest: a number, or cifar10, cifar100 or imagenet for what
    was published at that rate (between two rates, what the lower one has)."""
    by: str | None = "aum"
    """The score that says which are hardest (in score.also); null: the score itself."""
    strata: int = 50
    """Bins of equal width."""


def check(params: Params, rate: float) -> None:
    """More cannot be cut off than is pruned."""
    if params.strata < 1:
        raise UserError(f"prune.strata is {params.strata}", "give 1 or more; 50 is published")
    cutoff_at(params.cutoff, rate)


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """``n_keep`` ids."""
    params = table.params or Params()
    check(params, rate)
    rest = without_hardest(table, cutoff_at(params.cutoff, rate), params.by, n_keep)
    bins = strata(table.score[rest], params.strata)
    sizes = np.bincount(bins, minlength=params.strata)
    quota = budgets(sizes, n_keep)
    shuffled = rng.permutation(len(rest))
    order = shuffled[np.argsort(bins[shuffled], kind="stable")]  # bin by bin, at random within
    place = np.arange(len(rest)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(rest[order[place < np.repeat(quota, sizes)]]).astype(np.int64)


def strata(score: NDArray[np.float32], count: int) -> Ids:
    """Bin 0 .. count-1 of each score, bins of equal width from the lowest to the highest score,
    both of which belong to a bin whatever their sign. Infinite scores are in the outer bins."""
    finite = score[np.isfinite(score)].astype(np.float64)
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    if low == high:
        return np.where(score > high, count - 1, 0).astype(np.int64)
    share = (np.clip(score.astype(np.float64), low, high) - low) / (high - low)
    return np.minimum((share * count).astype(np.int64), count - 1)


def budgets(sizes: Ids, n_keep: int) -> Ids:
    """How many to keep of bins of these ``sizes`` ``[B]``: sums to ``n_keep``, never above a size.

    Empty bins take part and pass their share on, as in the published code.
    """
    quota = np.zeros(len(sizes), dtype=np.int64)
    left = n_keep
    for visited, b in enumerate(np.argsort(sizes, kind="stable")):
        quota[b] = min(int(sizes[b]), left // (len(sizes) - visited))
        left -= int(quota[b])
    return quota
