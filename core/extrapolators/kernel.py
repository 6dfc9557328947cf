"""Kernel regression (Nadaraya-Watson): scored samples weigh in by a Gaussian of their distance.

Nadaraya (1964), Watson (1964). The bandwidth is a multiple of the typical distance between a scored
sample and its tenth scored neighbour. A scored sample of another class is discounted by one factor,
the kernel of Aitchison and Aitken (1976) for categories. Only the ``reach`` nearest scored samples
enter: with Gaussian weights the others add next to nothing, and memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core import neighbors
from core.errors import UserError
from core.extrapolators import _design, base
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.neighbors import Neighbors

BANDWIDTHS = (0.35, 0.5, 0.7, 1.0, 1.5)
OTHER_CLASS = (1.0, 0.3, 0.05)
_TENTH = 10
_SAMPLE = 2000  # scored samples that the typical distance is taken from


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    bandwidth: float | Literal["auto"] = "auto"
    """In units of the median distance to the tenth scored neighbour; auto compares 0.35 to 1.5."""
    other_class: float | Literal["auto"] = "auto"
    """Weight of scored samples of another class, 0 to 1; auto compares 1, 0.3 and 0.05."""
    reach: int = 256
    """Nearest scored samples that enter."""
    metric: Literal["cosine", "euclidean"] = "cosine"
    """cosine: embeddings are scaled to length one; euclidean: as they are."""
    use_labels: bool | Literal["auto"] = "auto"
    """Discount other classes; auto: where every sample has a label."""


class Kernel(base.Extrapolator[Params]):
    """Candidates are the pairs of bandwidth and discount that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.bandwidth != "auto" and not given.bandwidth > 0:
            raise UserError(f"extrapolate.bandwidth is {given.bandwidth:g}", "give more than 0")
        if given.other_class != "auto" and not 0 < given.other_class <= 1:
            raise UserError(f"extrapolate.other_class is {given.other_class:g}", "give 0.01 to 1")
        if given.reach < 1:
            raise UserError(f"extrapolate.reach is {given.reach}", "give at least 1")
        self.given = given
        self.needs = _design.needs(given.use_labels)

    def candidates(self, m: int) -> list[Params]:
        """Every bandwidth; with labels, each with every discount."""
        given = self.given
        widths = BANDWIDTHS if given.bandwidth == "auto" else (given.bandwidth,)
        discounts = OTHER_CLASS if given.other_class == "auto" else (given.other_class,)
        if given.use_labels is False:
            discounts = (1.0,)
        return [replace(given, bandwidth=b, other_class=o) for o in discounts for b in widths]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Predict block by block; the std is the weighted spread of the scores that entered."""
        targets = base.others(x, ids) if targets is None else targets
        out = Prediction.empty(len(x), scores.shape[1])
        unit = typical_distance(x, ids, params)
        for part, near in _search(x, ids, targets, params):
            rows = targets[part]
            same = _same_class(x, ids, rows, near, params)
            out.values[rows], out.std[rows] = smooth(near, same, scores, params, unit)
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
        """One search serves all candidates: they differ in the weights."""
        first = candidates[0]
        unit = typical_distance(x, ids, first)
        parts = [
            (targets[part], near, _same_class(x, ids, targets[part], near, first))
            for part, near in _search(x, ids, targets, first)
        ]
        for params in candidates:
            out = Prediction.empty(len(x), scores.shape[1])
            for rows, near, same in parts:
                out.values[rows], out.std[rows] = smooth(near, same, scores, params, unit)
            yield out


def make(params: Params) -> Kernel:
    """The extrapolator with the user's options."""
    return Kernel(params)


def smooth(
    near: Neighbors, same: Floats | None, scores: Floats, params: Params, unit: float
) -> tuple[Floats, Floats]:
    """Weighted mean and spread, twice float32 ``[q, S]``, of ``scores`` ``[m, S]`` at ``near``.

    Weights exp(-d^2 / (2 h^2)), h = bandwidth * unit, relative to the nearest, so that they never
    all vanish; ``same`` ``[q, k]`` is 1 where the class is the query's, else 0 (None: no labels).
    """
    if params.bandwidth == "auto" or params.other_class == "auto":
        raise ValueError("bandwidth or discount is still open: take one of candidates(m)")
    width = params.bandwidth * unit
    squared = np.square(near.distances.astype(np.float64))
    weights = np.exp((squared[:, :1] - squared) / (2 * width * width))
    if same is not None:
        weights *= np.where(same > 0, 1.0, params.other_class)
    weights /= weights.sum(axis=1, keepdims=True)
    found = scores[near.indices].astype(np.float64)
    mean = np.einsum("qk,qks->qs", weights, found)
    found -= mean[:, None]
    variance = np.einsum("qk,qks->qs", weights, np.square(found, out=found))
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def typical_distance(x: Features, ids: Ids, params: Params) -> float:
    """Median distance of scored samples to their tenth scored neighbour; 1 where that is 0."""
    some = ids[:: max(1, len(ids) // _SAMPLE)]
    k = min(_TENTH, len(ids) - 1)
    if k < 1:
        return 1.0
    search = neighbors.search_rows(
        x.embeddings, ids, some, k, metric=params.metric, threads=x.threads, device=x.device,
        block=x.block,
    )  # fmt: skip
    apart = np.concatenate([near.distances[:, -1] for _, near in search])
    return float(np.median(apart)) or 1.0


def _search(
    x: Features, ids: Ids, targets: Ids, params: Params
) -> Iterator[tuple[slice, Neighbors]]:
    # one of the scored samples may be a target itself, and then is not its own neighbour
    own = bool(np.isin(targets, ids).any())
    k = max(1, min(params.reach, len(ids) - own))
    return neighbors.search_rows(
        x.embeddings, ids, targets, k, metric=params.metric, threads=x.threads, device=x.device,
        told=x.told, block=x.block,
    )  # fmt: skip


def _same_class(x: Features, ids: Ids, rows: Ids, near: Neighbors, params: Params) -> Floats | None:
    if not _design.with_labels(x, params.use_labels) or x.labels is None:
        return None
    labels = np.asarray(x.labels)
    same = labels[ids][near.indices] == labels[rows][:, None]
    return np.asarray(same, dtype=np.float32)
