"""Forests of extremely randomised trees, or boosted trees, on embeddings and labels.

Extremely randomised trees (Geurts, Ernst and Wehenkel 2006) and histogram boosting, both of
scikit-learn. The forest's uncertainty is that of a quantile forest (Meinshausen 2006): the spread
of the scored samples that share a leaf with the query, over all trees. Boosting takes five models,
each blind to a fifth of the scored samples, and adds their spread to their errors on those fifths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.extrapolators import _design, base
from core.extrapolators.base import Features, Floats, Ids, Prediction

FOLDS = 5
Model = Callable[[Floats], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    kind: Literal["auto", "extra", "boosting"] = "auto"
    """extra: extremely randomised trees; boosting: histogram boosting; auto compares both."""
    trees: int = 200
    """Trees of the forest; boosting stops by itself, at this many rounds at most."""
    leaf: int = 3
    """Scored samples in a leaf of the forest at least (boosting: 20, or a tenth of them)."""
    columns: float = 0.3
    """Share of the columns that a split of the forest looks at."""
    use_labels: bool | Literal["auto"] = "auto"
    """Join the one-hot label; auto: where every sample has one."""
    use_predictions: bool = False
    """Join the subset net's class probabilities, which are in-sample on the scored part."""


class Trees(base.Extrapolator[Params]):
    """Candidates are the kinds that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.trees < 1 or given.leaf < 1:
            raise UserError("extrapolate.trees and extrapolate.leaf must be at least 1")
        if not 0 < given.columns <= 1:
            raise UserError(f"extrapolate.columns is {given.columns:g}", "give a share of 0 to 1")
        self.given = given
        self.needs = _design.needs(given.use_labels, given.use_predictions)

    def candidates(self, m: int) -> list[Params]:
        """The forest and, from 50 scored samples on, boosting."""
        if self.given.kind != "auto":
            return [self.given]
        found = [replace(self.given, kind="extra")]
        return [*found, replace(self.given, kind="boosting")] if m >= 50 else found

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Fit and predict block by block."""
        targets = base.others(x, ids) if targets is None else targets
        inputs = _design.design(x, ids, self.given.use_labels, self.given.use_predictions)
        rows, state = inputs.rows(ids), int(rng.integers(2**31))
        if params.kind == "boosting":
            model = boosting(rows, scores, params, state)
        else:
            model = forest(rows, scores, params, state, x.threads)
        return inputs.fill(Prediction.empty(len(x), scores.shape[1]), targets, model)


def make(params: Params) -> Trees:
    """The extrapolator with the user's options."""
    return Trees(params)


def forest(
    rows: Floats, scores: Floats, params: Params, state: int, threads: int | None = None
) -> Model:
    """A fitted forest of all scores ``[m, S]`` on ``rows`` ``[m, D]``."""
    from sklearn.ensemble import ExtraTreesRegressor

    scale = np.where((spread := scores.std(axis=0)) > 0, spread, 1)  # scores weigh in alike
    made = ExtraTreesRegressor(
        params.trees,
        min_samples_leaf=min(params.leaf, max(1, len(rows) // 4)),
        max_features=params.columns,
        random_state=state,
        n_jobs=threads or -1,
    ).fit(rows, scores / scale if scores.shape[1] > 1 else scores[:, 0] / scale[0])
    leaves = made.apply(rows)
    tables = [_moments(leaves[:, t], scores) for t in range(params.trees)]

    def model(queries: Floats) -> tuple[Floats, Floats]:
        found = made.apply(queries)
        mean = np.zeros((len(queries), scores.shape[1]))
        square = np.zeros_like(mean)
        for t, (first, second) in enumerate(tables):
            mean += first[found[:, t]]
            square += second[found[:, t]]
        mean, square = mean / params.trees, square / params.trees
        variance = np.maximum(square - mean * mean, 0)
        return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)

    return model


def _moments(leaf: NDArray[Any], scores: Floats) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean and mean square of the scores in every node of a tree, twice ``[nodes, S]``; NaN-free:
    a node that is no leaf has zeros and is never asked for."""
    count = np.maximum(np.bincount(leaf), 1)[:, None]
    doubles = scores.astype(np.float64)
    first = np.stack([np.bincount(leaf, column) for column in doubles.T], axis=1)
    second = np.stack([np.bincount(leaf, column * column) for column in doubles.T], axis=1)
    return first / count, second / count


def boosting(rows: Floats, scores: Floats, params: Params, state: int) -> Model:
    """Five boosted models a score, each fitted without one fifth of the scored samples."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    m, columns = scores.shape
    fold = np.random.default_rng(state).permutation(m) % min(FOLDS, m)
    models: list[list[Any]] = []
    errors = np.zeros((m, columns))
    for column in range(columns):
        models.append([])
        for part in range(min(FOLDS, m)):
            inside = fold != part
            made = HistGradientBoostingRegressor(
                max_iter=params.trees,
                learning_rate=0.06,
                max_leaf_nodes=15,
                min_samples_leaf=max(1, min(20, m // 10)),
                l2_regularization=1.0,
                max_features=params.columns,
                random_state=state,
                early_stopping=False,
            ).fit(rows[inside], scores[inside, column])
            errors[~inside, column] = scores[~inside, column] - made.predict(rows[~inside])
            models[-1].append(made)
    noise = np.square(errors).mean(axis=0)

    def model(queries: Floats) -> tuple[Floats, Floats]:
        found = np.stack([[one.predict(queries) for one in each] for each in models])  # [S, 5, q]
        values, spread = found.mean(axis=1).T, np.sqrt(found.var(axis=1).T + noise)
        return values.astype(np.float32), spread.astype(np.float32)

    return model
