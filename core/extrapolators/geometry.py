"""Regression on how a sample lies among all others, not on where.

A forest of extremely randomised trees (as in :mod:`core.extrapolators.trees`) sees of each sample a
few numbers that mean the same everywhere: how far its neighbours are, how many of them share its
label, how close it is to the mean of its own class and to the next class, and how sure the subset
net is of it. What makes a sample hard is in these (arXiv 2506.09010, table 16, finds the share of
neighbours with the same label and the distance of those with another to go with the score), while
where it lies in the embedding says little that a few scored samples could teach.

The net has seen the scored samples and no others, so their numbers are shifted. Each is therefore
turned into its rank, among the scored samples for those and among the others for the others: both
are random draws of the same data, so equal ranks mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.extrapolators import _design, base, trees
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.metrics import midranks
from core.neighbors import normalise, refuse_non_finite

NEEDS = ("neighbors",)
NEIGHBORS = 20
FEW = 5
"""The nearest neighbours, beside all :data:`NEIGHBORS`, whose distance and labels are looked at."""


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    trees: int = 200
    """Trees of the forest."""
    leaf: int = 8
    """Scored samples in a leaf of the forest at least."""
    use_labels: bool | Literal["auto"] = "auto"
    """Look at neighbours' and classes' labels; auto: where every sample has one."""
    use_predictions: bool = True
    """Look at the subset net's class probabilities."""


class Geometry(base.Extrapolator[Params]):
    """One candidate: there is nothing to tune."""

    positions = False

    def __init__(self, given: Params) -> None:
        if given.trees < 1 or given.leaf < 1:
            raise UserError("extrapolate.trees and extrapolate.leaf must be at least 1")
        self.given = given
        self.needs = _design.needs(given.use_labels, given.use_predictions) | {"neighbors"}

    def candidates(self, m: int) -> list[Params]:
        """What is given."""
        return [self.given]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Fit on the scored samples' ranks, predict block by block."""
        targets = base.others(x, ids) if targets is None else targets
        labels = x.labels if _design.with_labels(x, params.use_labels) else None
        rows = levels(
            described(x, labels, x.predictions if params.use_predictions else None), x.trained_on
        )
        options = trees.Params(kind="extra", trees=params.trees, leaf=params.leaf)
        model = trees.forest(rows[ids], scores, options, int(rng.integers(2**31)), x.threads)
        out = Prediction.empty(len(x), scores.shape[1])
        for start in range(0, len(targets), _design.BLOCK):
            part = targets[start : start + _design.BLOCK]
            out.values[part], out.std[part] = model(rows[part])
            if x.progress is not None:
                x.progress(start + len(part), len(targets))
        return out


def make(params: Params) -> Geometry:
    """The extrapolator with the user's options."""
    return Geometry(params)


def described(x: Features, labels: Ids | None, predictions: Floats | None) -> Floats:
    """The numbers of every sample, float32 ``[N, F]``: distances to the fifth and the last
    neighbour; with ``labels`` the shares of both that have its label, cosine to the mean of its
    class, to the nearest other class's, and their difference; with ``predictions`` entropy and the
    lead of the likeliest class; with both, log-probability and margin of the label."""
    if x.neighbors is None:
        raise ValueError("geometry reads the neighbours of all samples")
    k = min(NEIGHBORS, x.neighbors.indices.shape[1])
    few = min(FEW, k)
    columns = [x.neighbors.distances[:, few - 1], x.neighbors.distances[:, k - 1]]
    if labels is not None:
        same = labels[x.neighbors.indices[:, :k]] == labels[:, None]
        own, other = class_cosines(x.embeddings, labels)
        columns += [same[:, :few].mean(axis=1), same.mean(axis=1), own, other, own - other]
    if predictions is not None:
        columns += _sureness(predictions, labels)
    return np.stack([np.asarray(c, dtype=np.float32) for c in columns], axis=1)


def class_cosines(embeddings: Floats, labels: Ids) -> tuple[Floats, Floats]:
    """Cosine of each sample's embedding with the mean direction of its class, and the highest with
    that of another class: ``[N]`` twice. Of a single class the latter is -1."""
    classes = int(labels.max()) + 1
    sums = np.zeros((classes, embeddings.shape[1]))
    blocks = range(0, len(labels), _design.BLOCK)
    for start in blocks:
        rows = normalise(embeddings[start : start + _design.BLOCK])
        refuse_non_finite(rows)
        np.add.at(sums, labels[start : start + _design.BLOCK], rows)
    means = normalise(sums.astype(np.float32))
    own, other = np.empty(len(labels), np.float32), np.empty(len(labels), np.float32)
    for start in blocks:
        part = slice(start, start + _design.BLOCK)
        cosines = normalise(embeddings[part]) @ means.T
        at = np.arange(len(cosines)), labels[part]
        own[part] = cosines[at]
        cosines[at] = -1
        other[part] = cosines.max(axis=1)
    return own, other


def _sureness(predictions: Floats, labels: Ids | None) -> list[Floats]:
    """Of class probabilities ``[N, C]``: entropy and the lead of the first class over the second;
    of the label its log-probability and how far it leads or trails."""
    logs = np.log(predictions.astype(np.float32) + np.float32(1e-6))
    entropy = -(predictions * logs).sum(axis=1)
    if predictions.shape[1] < 2:
        return [entropy]
    first = np.partition(predictions, -2, axis=1)
    found = [entropy, first[:, -1] - first[:, -2]]
    if labels is not None:
        at = np.arange(len(labels)), labels
        own = logs[at]
        logs[at] = -np.inf
        found += [own, own - logs.max(axis=1)]
    return found


def levels(numbers: Floats, trained_on: Ids | None) -> Floats:
    """Each column of ``[N, F]`` as ranks in 0..1, ties sharing theirs: among the samples
    ``trained_on`` for those, among the others for the others; None: among all."""
    group: NDArray[np.bool_] = np.zeros(len(numbers), dtype=bool)
    if trained_on is not None:
        group[trained_on] = True
    out = np.empty(numbers.shape, np.float32)
    for inside in (group, ~group):
        count = int(inside.sum())
        for column in range(numbers.shape[1] if count else 0):
            out[inside, column] = (midranks(numbers[inside, column]) - 0.5) / count
    return out
