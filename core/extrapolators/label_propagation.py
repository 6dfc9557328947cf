"""Label propagation: scores spread from scored samples along the neighbour graph of all samples.

The harmonic function of Zhu, Ghahramani and Lafferty (2003): from an unscored sample walk the
graph at random until a scored one is met; the prediction is the mean score of where the walk ends,
its std the spread there. Walks longer than ``steps`` end in the mean of all scores. Unlike kNN this
uses where the unscored samples lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from core.errors import UserError
from core.extrapolators import _design, base
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.graph import symmetric, transition

NEEDS = ("neighbors",)
NEIGHBORS = 20
GRID = (5, 10, 20)
OTHER_CLASS = (1.0, 0.3, 0.05)


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    k: int | Literal["auto"] = "auto"
    """Neighbours of a sample in the graph; auto compares 5, 10 and 20."""
    other_class: float | Literal["auto"] = "auto"
    """Weight of edges between classes, 0 to 1; auto compares 1, 0.3 and 0.05."""
    steps: int = 30
    """Longest walk."""
    use_labels: bool | Literal["auto"] = "auto"
    """Discount edges between classes; auto: where every sample has a label."""


class LabelPropagation(base.Extrapolator[Params]):
    """Candidates are the pairs of k and discount that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.k != "auto" and given.k < 1:
            raise UserError(f"extrapolate.k is {given.k}", "give at least 1, or auto")
        if given.other_class != "auto" and not 0 < given.other_class <= 1:
            raise UserError(f"extrapolate.other_class is {given.other_class:g}", "give 0.01 to 1")
        if given.steps < 1:
            raise UserError(f"extrapolate.steps is {given.steps}", "give at least 1")
        self.given = given
        self.needs = _design.needs(given.use_labels) | {"neighbors"}

    def candidates(self, m: int) -> list[Params]:
        """Every k; with labels, each with every discount."""
        given = self.given
        ks = GRID if given.k == "auto" else (given.k,)
        discounts = OTHER_CLASS if given.other_class == "auto" else (given.other_class,)
        if given.use_labels is False:
            discounts = (1.0,)
        return [replace(given, k=k, other_class=o) for k in ks for o in discounts]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Walk from all unscored samples at once: one sparse product a step."""
        targets = base.others(x, ids) if targets is None else targets
        return _absorbed(_graph(x, params), ids, scores, params.steps, targets)

    def compare(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        candidates: Sequence[Params],
        fresh_rng: Callable[[], np.random.Generator],
        targets: Ids,
    ) -> Iterator[Prediction]:
        """Without complete labels the discount changes nothing, so a k is walked once."""
        labelled = _design.with_labels(x, self.given.use_labels)
        known: dict[Any, Prediction] = {}
        for params in candidates:
            what = params if labelled else replace(params, other_class=1.0)
            if what not in known:
                known = {what: self.fit_predict(x, ids, scores, params, fresh_rng(), targets)}
            yield known[what]


def make(params: Params) -> LabelPropagation:
    """The extrapolator with the user's options."""
    return LabelPropagation(params)


def _absorbed(walk: Any, ids: Ids, scores: Floats, steps: int, targets: Ids) -> Prediction:
    """Mean and spread of the scores ``[m, S]`` at which walks from ``targets`` end.

    ``walk``: step probabilities ``[N, N]``. A target that is scored itself walks away from its own
    score first.
    """
    count, columns = walk.shape[0], scores.shape[1]
    level = scores.mean(axis=0, dtype=np.float64)
    apart = scores - level  # centred, so that the second moment keeps its digits
    known = np.concatenate([apart, apart * apart, np.ones((len(ids), 1))], axis=1)
    rest = np.array([*np.zeros(columns), *np.square(apart).mean(axis=0), 1.0])
    free = np.ones(count, dtype=bool)
    free[ids] = False
    where = np.flatnonzero(free)
    state = np.zeros((count, known.shape[1]))
    state[ids] = known
    inner = walk[where]
    for _ in range(steps):
        reached = inner @ state
        change = float(np.abs(reached[:, -1] - state[where, -1]).max(initial=0))
        state[where] = reached
        if change < 1e-6:
            break
    state[where] += (1 - state[where, -1:]) * rest
    scored = np.flatnonzero(~free[targets])
    found = state[targets]
    if len(scored):
        found[scored] = walk[targets[scored]] @ state
    out = Prediction.empty(count, columns)
    mean, square = found[:, :columns], found[:, columns : 2 * columns]
    out.values[targets] = level + mean
    out.std[targets] = np.sqrt(np.maximum(square - mean * mean, 0))
    return out


def _graph(x: Features, params: Params) -> Any:
    if x.neighbors is None or params.k == "auto" or params.other_class == "auto":
        raise ValueError("the neighbours are missing, or a setting is still open")
    adjacency = symmetric(x.neighbors, params.k)
    if _design.with_labels(x, params.use_labels) and x.labels is not None:
        labels = np.asarray(x.labels)
        rows = np.repeat(np.arange(len(labels)), np.diff(adjacency.indptr))
        other = labels[rows] != labels[adjacency.indices]
        adjacency.data = np.where(other, adjacency.data * params.other_class, adjacency.data)
    return transition(adjacency)
