"""Draw by score times a Beta density of the mean probability (DUAL, 2502.06905).

With m_i the mean probability of the own label and mD its mean over the ten best scores, the rate r
sets B = 15 (1 - mD) (1 - r^c) and A = 16 - B; ``n_keep`` samples are drawn without replacement with
weights Beta(A, B)(m_i) s_i. The higher the rate, the smaller B and the more the weight moves from
hard samples (m small) to easy ones. The authors take c = 4 on CIFAR and 13 (an exponent of 2 + 11)
on ImageNet; the published code has 16 where the run that reproduced the paper had 15.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.selection._draw import weighted
from core.selection.base import Ids, SelectionInput, highest

NEEDS = ("mean_probability",)
FORMULA = "drawn without replacement, weight Beta(A, B)(m) s; B = 15 (1 - mD) (1 - r^c), A = 16 - B"
WHEN = "the score dual at high rates"

_TOP = 10
_LEAST = 1e-3
"""B stays above this, and m that far from 0 and 1: the density is defined and finite."""


@dataclass(frozen=True)
class Params:
    """How fast the weight moves to easy samples with the rate."""

    c: float = 4.0
    """Exponent of the rate; 4 for CIFAR, 13 for ImageNet."""
    total: float = 16.0
    """A + B."""


def check(params: Params, rate: float) -> None:
    """The Beta density needs A and B above zero."""
    if not params.c > 0:
        raise UserError(f"prune.c is {params.c:g}", "give a value above 0")
    if not params.total > 15 - _LEAST:
        raise UserError(
            f"prune.total is {params.total:g}, but B may reach 15 and A = total - B must stay "
            "above 0",
            "give 16, as published",
        )


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """``n_keep`` ids. Scores below zero (those of other scores than DUAL) are shifted to begin at
    zero, since a weight cannot be negative."""
    params = table.params or Params()
    check(params, rate)
    m = table.columns["mean_probability"]
    a, b = shape(table.score, m, rate, params)
    score = table.score.astype(np.float64)
    score = score - min(0.0, float(score.min()))
    with np.errstate(divide="ignore"):
        return weighted(log_density(m, a, b) + np.log(score), n_keep, rng)


def shape(
    score: NDArray[np.float32], m: NDArray[np.float32], rate: float, params: Params
) -> tuple[float, float]:
    """(A, B) of the density at a prune rate; A + B = ``params.total``."""
    easy = float(np.mean(m[highest(score, _TOP)]))
    b = max(_LEAST, 15 * (1 - easy) * (1 - rate**params.c))
    return max(_LEAST, params.total - b), b


def log_density(m: NDArray[np.float32], a: float, b: float) -> NDArray[np.float64]:
    """Logarithm of Beta(a, b) at ``m`` ``[N]``, up to a constant."""
    inside = np.clip(m.astype(np.float64), _LEAST**2, 1 - _LEAST**2)
    return np.asarray((a - 1) * np.log(inside) + (b - 1) * np.log1p(-inside))
