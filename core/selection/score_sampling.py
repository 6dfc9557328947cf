"""Draw samples at random, likelier the higher their score (2506.09010, score sampling).

Without replacement, one after the other, with weights w_i = ((s_i - min) / (max - min)) ^ power.
Keeps some samples of every score, where top_k would keep the top alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.selection._draw import weighted
from core.selection.base import Ids, SelectionInput

FORMULA = "drawn without replacement, weight ((s - min) / (max - min)) ^ power"
WHEN = "high rates, where the top alone is too hard"


@dataclass(frozen=True)
class Params:
    """How strongly the score decides."""

    power: float = 1.0
    """0: evenly at random; the larger, the nearer to top_k."""


def check(params: Params, rate: float) -> None:
    """A power below zero would turn the score around."""
    if not (params.power >= 0 and np.isfinite(params.power)):
        raise UserError(f"prune.power is {params.power:g}", "give 0 or more")


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """``n_keep`` ids. Infinite scores count as the largest or smallest finite one; where all scores
    are equal the draw is even."""
    params = table.params or Params()
    check(params, rate)
    return weighted(_log_weights(table.score, params.power), n_keep, rng)


def _log_weights(score: NDArray[np.float32], power: float) -> NDArray[np.float64]:
    finite = score[np.isfinite(score)].astype(np.float64)
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    if power == 0 or low == high:
        return np.zeros(len(score))
    share = (np.clip(score.astype(np.float64), low, high) - low) / (high - low)
    with np.errstate(divide="ignore"):
        return np.asarray(power * np.log(share))
