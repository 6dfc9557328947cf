"""Keep the samples with the highest scores; ties go to the lowest id."""

from __future__ import annotations

import numpy as np

from core.selection.base import Ids, SelectionInput, highest

FORMULA = "the n samples with the largest s"
WHEN = "low rates; the default"


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """The ``n_keep`` ids with the highest score. Draws nothing."""
    return highest(table.score, n_keep)
