"""Ridge regression on embeddings and labels: a linear score, in closed form.

Columns are standardised on the scored samples. One eigendecomposition of the Gram matrix serves all
penalties; leave-one-out residuals follow from the hat matrix without refitting (Allen 1974, PRESS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.extrapolators import _design, base
from core.extrapolators.base import Features, Floats, Ids, Prediction

GRID = (0.001, 0.01, 0.1, 1.0, 10.0)
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    penalty: float | Literal["auto"] = "auto"
    """Squared-norm penalty per scored sample; auto compares 0.001, 0.01, 0.1, 1 and 10."""
    use_labels: bool | Literal["auto"] = "auto"
    """Join the one-hot label; auto: where every sample has one."""
    use_predictions: bool = False
    """Join the subset net's class probabilities, which are in-sample on the scored part."""


class Ridge(base.Extrapolator[Params]):
    """Candidates are the penalties that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.penalty != "auto" and not given.penalty > 0:
            raise UserError(
                f"extrapolate.penalty is {given.penalty:g}", "give more than 0, or auto"
            )
        self.given = given
        self.needs = _design.needs(given.use_labels, given.use_predictions)

    def candidates(self, m: int) -> list[Params]:
        """One setting per penalty."""
        grid = GRID if self.given.penalty == "auto" else (self.given.penalty,)
        return [replace(self.given, penalty=penalty) for penalty in grid]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Fit and predict; the std is that of a new sample: residuals, leave-one-out, and how far
        the sample lies from the scored ones."""
        targets = base.others(x, ids) if targets is None else targets
        return next(self.compare(x, ids, scores, [params], lambda: rng, targets))

    def compare(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        candidates: Sequence[Params],
        fresh_rng: Callable[[], np.random.Generator],
        targets: Ids,
    ) -> Iterator[Prediction]:
        """One decomposition serves all penalties."""
        inputs = _design.design(x, ids, self.given.use_labels, self.given.use_predictions)
        yield from compared(inputs, ids, scores, candidates, targets)


def make(params: Params) -> Ridge:
    """The extrapolator with the user's options."""
    return Ridge(params)


def compared(
    inputs: _design.Design, ids: Ids, scores: Floats, candidates: Sequence[Params], targets: Ids
) -> Iterator[Prediction]:
    """One prediction of ``targets`` per penalty, from the rows that ``inputs`` makes."""
    fitted = Decomposed(inputs.rows(ids), scores)
    for params in candidates:
        out = Prediction.empty(len(inputs.x), scores.shape[1])
        yield inputs.fill(out, targets, fitted.solve(_fixed(params)))


class Decomposed:
    """Rows ``[m, D]`` and scores ``[m, S]``, centred, in the eigenvectors of the Gram matrix."""

    def __init__(self, rows: Floats, scores: Floats) -> None:
        self.centre = rows.mean(axis=0, dtype=np.float64)
        self.mean = scores.mean(axis=0, dtype=np.float64)
        centred = rows - self.centre
        values, self.vectors = np.linalg.eigh(centred.T @ centred)
        self.values = np.maximum(values, 0)
        self.rotated: Doubles = centred @ self.vectors
        self.residual: Doubles = scores - self.mean

    def solve(self, penalty: float) -> Callable[[Floats], tuple[Floats, Floats]]:
        """The model at ``penalty * m``: rows ``[n, D]`` -> values and std, float32 ``[n, S]``."""
        m = len(self.rotated)
        shrunk = 1 / (self.values + penalty * m)
        weights = shrunk[:, None] * (self.rotated.T @ self.residual)
        hat = 1 / m + np.square(self.rotated) @ shrunk
        left_out = (self.residual - self.rotated @ weights) / (1 - np.minimum(hat, 0.999))[:, None]
        noise = np.sqrt(np.square(left_out).mean(axis=0))

        def model(rows: Floats) -> tuple[Floats, Floats]:
            z = (rows - self.centre) @ self.vectors
            far = np.sqrt(1 + 1 / m + np.square(z) @ shrunk)
            values = self.mean + z @ weights
            return values.astype(np.float32), (far[:, None] * noise).astype(np.float32)

        return model


def _fixed(params: Params) -> float:
    if params.penalty == "auto":
        raise ValueError("the penalty is still open: take one of candidates(m)")
    return params.penalty
