"""Regression on how cross-fitted nets learned a sample: each was watched by nets that never saw it.

The columns are probability, margin and entropy at a few moments of the training of nets that left
the sample out (``score.cross_fit``), so that scored and unscored samples look alike to the
regressor; a ridge regression and a forest of extremely randomised trees are compared. Joining the
embedding is possible, but that of the scoring net comes from a net that saw the scored samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.errors import UserError
from core.extrapolators import _design, base, ridge, trees
from core.extrapolators.base import Features, Floats, Ids, Prediction

NEEDS = ("dynamics",)


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    kind: Literal["auto", "ridge", "trees"] = "auto"
    """ridge: linear; trees: a forest of extremely randomised trees; auto compares both."""
    penalty: float | Literal["auto"] = "auto"
    """Of the ridge, per scored sample; auto compares 0.001, 0.01, 0.1, 1 and 10."""
    trees: int = 200
    """Trees of the forest."""
    leaf: int = 5
    """Scored samples in a leaf of the forest at least."""
    use_embeddings: bool = False
    """Join the embedding, which is in-sample where the scoring net made it."""
    use_labels: bool | Literal["auto"] = "auto"
    """Join the one-hot label; auto: where every sample has one."""


class Dynamics(base.Extrapolator[Params]):
    """Candidates are the kinds and penalties that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.trees < 1 or given.leaf < 1:
            raise UserError("extrapolate.trees and extrapolate.leaf must be at least 1")
        if given.penalty != "auto" and not given.penalty > 0:
            raise UserError(
                f"extrapolate.penalty is {given.penalty:g}", "give more than 0, or auto"
            )
        self.given = given
        self.needs = _design.needs(given.use_labels) | {"dynamics"}
        self.positions = given.use_embeddings

    def candidates(self, m: int) -> list[Params]:
        """The ridge at every penalty, then the forest."""
        found = []
        if self.given.kind != "trees":
            grid = ridge.GRID if self.given.penalty == "auto" else (self.given.penalty,)
            found += [replace(self.given, kind="ridge", penalty=penalty) for penalty in grid]
        if self.given.kind != "ridge":
            found.append(replace(self.given, kind="trees"))
        return found

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Fit and predict block by block. Features without dynamics: UserError."""
        targets = base.others(x, ids) if targets is None else targets
        seen = replace(x, embeddings=_columns(x, params.use_embeddings))
        inputs = _design.design(seen, ids, params.use_labels, use_predictions=False)
        model = _model(inputs.rows(ids), scores, params, rng, x.threads)
        return inputs.fill(Prediction.empty(len(x), scores.shape[1]), targets, model)

    def cross_fitted(self, params: Params) -> tuple[Dynamics, Params]:
        """The same without the embedding."""
        return self, replace(params, use_embeddings=False)


def make(params: Params) -> Dynamics:
    """The extrapolator with the user's options."""
    return Dynamics(params)


def _columns(x: Features, use_embeddings: bool) -> Floats:
    if x.dynamics is None:
        raise UserError(
            "the extrapolator dynamics reads nets that are trained within a run",
            "start a run with score.cross_fit: 2, or take another method",
        )
    return np.concatenate([x.dynamics, x.embeddings], axis=1) if use_embeddings else x.dynamics


def _model(
    rows: Floats, scores: Floats, params: Params, rng: np.random.Generator, threads: int | None
) -> Callable[[Floats], tuple[Floats, Floats]]:
    """Rows ``[n, D]`` to values and std ``[n, S]``."""
    if params.kind == "ridge" and params.penalty != "auto":
        return ridge.Decomposed(rows, scores).solve(params.penalty)
    if params.kind != "trees":
        raise ValueError("the kind or penalty is still open: take one of candidates(m)")
    options = trees.Params(kind="extra", trees=params.trees, leaf=params.leaf)
    return trees.forest(rows, scores, options, int(rng.integers(2**31)), threads)
