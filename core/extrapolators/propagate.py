"""Embeddings smoothed along the neighbour graph once, then ridge regression.

Simplified graph convolution (Wu et al. 1902.07153): all that a graph network does with a graph is
done beforehand, by ``hops`` products with the normalised adjacency, and what is left is a
regressor. As in SIGN (Frasca et al. 2004.11198) the plain embedding stays beside the smoothed one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from core import neighbors
from core.errors import UserError
from core.extrapolators import _design, base, ridge
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.graph import normalised, symmetric

NEEDS = ("neighbors",)
NEIGHBORS = 10
HOPS = (1, 2)
PENALTIES = (0.01, 0.1, 1.0)
_COLUMNS = 64  # smoothed at a time


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    k: int | Literal["auto"] = "auto"
    """Neighbours of a sample in the graph; auto is 10."""
    hops: int | Literal["auto"] = "auto"
    """Times the graph is applied; auto compares 1 and 2."""
    penalty: float | Literal["auto"] = "auto"
    """Of the ridge regression, per scored sample; auto compares 0.01, 0.1 and 1."""
    use_labels: bool | Literal["auto"] = "auto"
    """Use labels, own and of neighbours; auto: where every sample has one."""


class Propagate(base.Extrapolator[Params]):
    """Candidates are the pairs of hops and penalty that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.k != "auto" and given.k < 1:
            raise UserError(f"extrapolate.k is {given.k}", "give at least 1, or auto")
        if given.hops != "auto" and given.hops < 1:
            raise UserError(f"extrapolate.hops is {given.hops}", "give at least 1, or auto")
        ridge.make(ridge.Params(penalty=given.penalty))  # refuses what it cannot use
        self.given = given
        self.needs = _design.needs(given.use_labels) | {"neighbors"}

    def candidates(self, m: int) -> list[Params]:
        """Every number of hops with every penalty."""
        given = self.given
        many = HOPS if given.hops == "auto" else (given.hops,)
        penalties = PENALTIES if given.penalty == "auto" else (given.penalty,)
        k = NEIGHBORS if given.k == "auto" else given.k
        return [replace(given, k=k, hops=h, penalty=p) for h in many for p in penalties]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Smooth, then regress; the std is that of the regression."""
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
        """Smoothed and decomposed once per number of hops; that serves all penalties."""
        hops = list(dict.fromkeys(params.hops for params in candidates))
        for many in hops:
            group = [params for params in candidates if params.hops == many]
            smooth = replace(x, embeddings=smoothed(x, group[0]))
            plain = [
                ridge.Params(penalty=p.penalty, use_labels=self.given.use_labels) for p in group
            ]
            yield from ridge.make(plain[0]).compare(smooth, ids, scores, plain, fresh_rng, targets)


def make(params: Params) -> Propagate:
    """The extrapolator with the user's options."""
    return Propagate(params)


def smoothed(x: Features, params: Params) -> Floats:
    """Unit embeddings, beside them the same after ``hops`` smoothings, then smoothed one-hot
    labels where they are used: float32 ``[N, 2d (+ C)]``."""
    if x.neighbors is None or params.k == "auto" or params.hops == "auto":
        raise ValueError("the neighbours are missing, or a setting is still open")
    step = normalised(symmetric(x.neighbors, params.k))
    count, width = x.embeddings.shape
    labels = None
    if _design.with_labels(x, params.use_labels) and x.labels is not None:
        labels = _design.one_hot(x.labels, int(x.labels.max()) + 1)
    out = np.empty((count, 2 * width + (0 if labels is None else labels.shape[1])), np.float32)
    for start in range(0, count, neighbors.BLOCK):
        block = slice(start, start + neighbors.BLOCK)
        out[block, :width] = neighbors.normalise(x.embeddings[block])
    _apply(step, out[:, :width], out[:, width : 2 * width], params.hops)
    if labels is not None:
        _apply(step, labels, out[:, 2 * width :], params.hops)
    return out


def _apply(step: Any, source: Floats, out: Floats, hops: int) -> None:
    """``step`` to the power of ``hops`` times ``source``, a few columns at a time."""
    for start in range(0, source.shape[1], _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        found = np.ascontiguousarray(source[:, columns])
        for _ in range(hops):
            found = step @ found
        out[:, columns] = found
