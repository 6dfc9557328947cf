"""Keep samples drawn at random, whatever their score: the baseline every method must beat."""

from __future__ import annotations

import numpy as np

from core.selection.base import Ids, SelectionInput

FORMULA = "n samples drawn evenly, whatever s"
WHEN = "the baseline every method must beat"


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """The first ``n_keep`` of the generator's permutation.

    Asked with generators of one seed, the set kept at a higher rate lies within the one kept at a
    lower rate, so rates differ by what was dropped and not by the draw.
    """
    return np.sort(rng.permutation(len(table))[:n_keep]).astype(np.int64)
