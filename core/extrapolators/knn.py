"""k nearest neighbours: the mean score of the scored samples closest in embedding space.

Extrapolation by neighbours of arXiv 2506.09010, with two repairs. The paper weights neighbours by
exp(-distance) of raw embeddings, which underflows to 0/0 where norms are large; here rows are
normalised, and the bandwidth is each sample's own mean neighbour distance. And k is chosen on
scored samples only, not by the full scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core import neighbors
from core.errors import UserError
from core.extrapolators import base
from core.extrapolators.base import Features, Floats, Ids, Prediction

GRID = (5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    k: int | Literal["auto"] = "auto"
    """Neighbours; auto compares 5, 10, 20, 50, 100, as far as 0.4 of the scored samples allows."""
    weights: Literal["auto", "mean", "distance"] = "auto"
    """mean: all neighbours alike; distance: nearer ones count more; auto compares both."""
    metric: Literal["cosine", "euclidean"] = "cosine"
    """cosine: embeddings are scaled to length one; euclidean: as they are."""
    search: Literal["auto", "exact", "approximate"] = "auto"
    """auto: approximate where exact would take long; the share of neighbours found is measured."""


class Knn(base.Extrapolator[Params]):
    """Candidates are all pairs of k and weights that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.k != "auto" and given.k < 1:
            raise UserError(f"extrapolate.k is {given.k}", "give at least 1, or auto")
        self.given = given

    def candidates(self, m: int) -> list[Params]:
        """Every k of 5, 10, 20, 50, 100 up to 0.4 m, each with mean and distance weights."""
        if self.given.k != "auto":
            ks: tuple[int, ...] = (self.given.k,)
        else:
            ks = tuple(k for k in GRID if 10 * k <= 4 * m) or (max(1, 4 * m // 10),)
        open_ = self.given.weights == "auto"
        weights: tuple[Literal["mean", "distance"], ...] = ("mean", "distance")
        return [
            replace(self.given, k=k, weights=w)
            for k in ks
            for w in weights
            if open_ or w == self.given.weights
        ]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Predict block by block, so that memory does not grow with the number of targets."""
        targets = base.others(x, ids) if targets is None else targets
        out = Prediction.empty(len(x), scores.shape[1])
        for part, near in _search(x, ids, targets, _fixed(params), params):
            out.values[targets[part]], out.std[targets[part]] = combine(near, scores, params)
            if x.progress is not None:
                x.progress(part.stop, len(targets))
        return out

    def compare(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        candidates: Sequence[Params],
        fresh_rng: Callable[[], np.random.Generator],
        targets: Ids,
    ) -> Iterator[Prediction]:
        """One search with the largest k serves all candidates: they differ in what is averaged."""
        widest = max(_fixed(params) for params in candidates)
        parts = list(_search(x, ids, targets, widest, candidates[0]))
        for params in candidates:
            out = Prediction.empty(len(x), scores.shape[1])
            for part, near in parts:
                k = _fixed(params)
                nearest = neighbors.Neighbors(near.distances[:, :k], near.indices[:, :k])
                rows = targets[part]
                out.values[rows], out.std[rows] = combine(nearest, scores, params)
            yield out


def make(params: Params) -> Knn:
    """The extrapolator with the user's options."""
    return Knn(params)


def combine(near: neighbors.Neighbors, scores: Floats, params: Params) -> tuple[Floats, Floats]:
    """Weighted mean and standard deviation of the neighbours' scores: twice float32 ``[q, S]``.

    ``near`` ``[q, k]`` points into ``scores`` ``[m, S]``. Weights are exp(-d / mean d of the k);
    neighbours that all lie at distance 0 count alike.
    """
    weights = _weights(near.distances) if params.weights == "distance" else None
    found = scores[near.indices].astype(np.float64)
    if weights is None:
        weights = np.full(near.distances.shape, 1 / near.distances.shape[1])
    mean = np.einsum("qk,qks->qs", weights, found)
    found -= mean[:, None]
    variance = np.einsum("qk,qks->qs", weights, np.square(found, out=found))
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _weights(distances: Floats) -> NDArray[np.float64]:
    bandwidth = distances.mean(axis=1, keepdims=True, dtype=np.float64)
    # d / mean d is at least once <= 1, so a row's weights can never all underflow
    weights = np.exp(-distances / np.where(bandwidth > 0, bandwidth, 1))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


def _search(
    x: Features, ids: Ids, targets: Ids, k: int, params: Params
) -> Iterator[tuple[slice, neighbors.Neighbors]]:
    return neighbors.search_rows(
        x.embeddings, ids, targets, k, metric=params.metric, threads=x.threads, device=x.device,
        how=params.search, told=x.told, block=x.block,
    )  # fmt: skip


def _fixed(params: Params) -> int:
    if params.k == "auto":
        raise ValueError("k is still open: take one of candidates(m)")
    return params.k
