"""Embeddings smoothed along the neighbour graph once, then ridge regression.

Simplified graph convolution (Wu et al. 1902.07153): all that a graph network does with a graph is
done beforehand, by ``hops`` products with the normalised adjacency, and what is left is a
regressor. As in SIGN (Frasca et al. 2004.11198) the plain embedding stays beside the smoothed one.
Smoothing is linear, so it is the principal components of wide embeddings that are smoothed, where
few of them hold nearly all of the variance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from core import neighbors
from core.errors import UserError
from core.extrapolators import _design, _principal, base, ridge
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.graph import normalised, smooth, symmetric

NEEDS = ("neighbors",)
NEIGHBORS = 10
HOPS = (1, 2)
PENALTIES = (0.01, 0.1, 1.0)


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    k: int | Literal["auto"] = "auto"
    """Neighbours of a sample in the graph; auto is 10."""
    hops: int | Literal["auto"] = "auto"
    """Times the graph is applied; auto compares 1 and 2."""
    penalty: float | Literal["auto"] = "auto"
    """Of the ridge regression, per scored sample; auto compares 0.01, 0.1 and 1."""
    components: int = 128
    """Principal components that wider embeddings are reduced to at most, as many as hold 99% of
    the variance; where that takes more of them, and with 0, the embedding is read as it is."""
    use_labels: bool | Literal["auto"] = "auto"
    """Use labels, own and of neighbours; auto: where every sample has one."""


class Propagate(base.Extrapolator[Params]):
    """Candidates are the pairs of hops and penalty that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if given.k != "auto" and given.k < 1:
            raise UserError(f"extrapolate.k is {given.k}", "give at least 1, or auto")
        if given.hops != "auto" and given.hops < 1:
            raise UserError(f"extrapolate.hops is {given.hops}", "give at least 1, or auto")
        if given.components < 0:
            raise UserError("extrapolate.components is negative", "give 0 (all) or more")
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
        given, read = source(x, candidates[0]), np.union1d(ids, targets)
        for many in dict.fromkeys(params.hops for params in candidates):
            group = [params for params in candidates if params.hops == many]
            rows = smoothed(given, int(many), read)
            found = inputs(x, ids, rows, given.components, group[0])
            plain = [ridge.Params(penalty=p.penalty) for p in group]
            yield from ridge.compared(found, ids, scores, plain, targets)


def make(params: Params) -> Propagate:
    """The extrapolator with the user's options."""
    return Propagate(params)


class Source(NamedTuple):
    """What is smoothed: ``rows`` float32 ``[N, c]``, of the embeddings the first ``components``
    (None: the embeddings themselves), one-hot ``labels`` ``[N, C]`` or None, by ``step``
    ``[N, N]``."""

    step: csr_array
    rows: Floats
    components: int | None
    labels: Floats | None


def source(x: Features, params: Params) -> Source:
    """Unit embeddings, or the principal components that hold nearly all of their variance."""
    if x.neighbors is None or params.k == "auto":
        raise ValueError("the neighbours are missing, or a setting is still open")
    labels = None
    if _design.with_labels(x, params.use_labels) and x.labels is not None:
        labels = _design.one_hot(x.labels, int(x.labels.max()) + 1)
    step = normalised(symmetric(x.neighbors, params.k))
    if 0 < params.components < x.embeddings.shape[1]:
        seen = _principal.projection(x.embeddings, params.components)
        if seen.enough:
            return Source(step, seen.rows(x.embeddings), len(seen.shift), labels)
    return Source(step, neighbors.normalise(x.embeddings), None, labels)


def smoothed(given: Source, hops: int, read: Ids | None = None) -> Floats:
    """The rows, beside them the same after ``hops`` smoothings, then smoothed labels: float32
    ``[N, 2c (+ C)]``. The last smoothing of samples that are not ``read`` is left out (zeros)."""
    width = given.rows.shape[1]
    more = 0 if given.labels is None else given.labels.shape[1]
    out = np.zeros((len(given.rows), 2 * width + more), np.float32)
    out[:, :width] = given.rows
    if read is not None and len(read) == len(out):
        read = None
    smooth(given.step, given.rows, hops, out[:, width : 2 * width], read)
    if given.labels is not None:
        smooth(given.step, given.labels, hops, out[:, 2 * width :], read)
    return out


def inputs(
    x: Features, ids: Ids, rows: Floats, components: int | None, params: Params
) -> _design.Design:
    """The regressor's columns: ``rows`` and the own one-hot label, standardised by the scored
    samples ``ids``.

    Principal components are not standardised one by one: plain and smoothed ones have one scale
    each, that of the columns they stand for, so that the penalty shrinks what varies little.
    """
    made = _design.design(replace(x, embeddings=rows), ids, params.use_labels, False)
    if components is None:
        return made
    scale = made.scale.copy()
    for part in (slice(components), slice(components, 2 * components)):
        total = np.square(rows[ids, part] - made.centre[part]).sum(dtype=np.float64)
        scale[part] = np.sqrt(total / len(ids) / x.embeddings.shape[1]) or 1
    return replace(made, scale=scale)
