"""ZCoreset (2411.15349): how well a sample covers low-dimensional views, less what neighbours do.

Scores begin uniform in [0, 1). Each of many draws picks two dimensions of the embedding and a point
in them from Triangular(min, median, max); the nearest sample (L1 in the two) gains 1, and its
nearest neighbours lose weights in proportion to d^-4 that sum to 1 (an exact duplicate loses 1).
In the end scores are scaled to 0..1. High is kept; no label is read.

No draw depends on the scores, so the gains are counted first and the losses follow from the counts:
one neighbour search for each sample that ever won, not for each draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.neighbors import Index

KIND = "embedded"
DIRECTION: Literal["high", "low"] = "high"
FORMULA = "U(0,1) + wins of random 2-d points - sum over winning neighbours of wins d^-4 / sum d^-4"
READS = "embeddings of all samples; no labels"
WHEN = "no labels and no training of a scoring net wanted beyond its embeddings"

PRESETS = {"paper": {"draws": 0, "neighbors": 1000}}

_MOST_DRAWS = 1_000_000
_BLOCK = 4096


@dataclass(frozen=True)
class Params:
    """How long it draws, and how far a winner reaches."""

    draws: int = 0
    """Number of draws; 0: ten a sample, at most a million."""
    neighbors: int = 1000
    """Neighbours that lose when a sample wins."""


@dataclass(frozen=True)
class ZCoreset:
    """Coverage of the embedding space."""

    params: Params

    def compute(
        self, embeddings: NDArray[np.float32], labels: None, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """float32 ``[N]`` from embeddings ``[N, d]``."""
        count = len(embeddings)
        if self.params.draws < 0 or self.params.neighbors < 1 or count < 2:
            raise UserError(
                f"zcoreset cannot make {self.params.draws} draws with {self.params.neighbors} "
                f"neighbours among {count} samples",
                "give score.draws 0 or more, score.neighbors 1 or more",
            )
        score = rng.random(count)
        draws = self.params.draws or min(10 * count, _MOST_DRAWS)
        dimensions, points = sample_points(embeddings, draws, rng)
        won = wins(embeddings, dimensions, points)
        score += won - losses(embeddings, won, min(self.params.neighbors, count - 1))
        spread = float(score.max() - score.min())
        return np.asarray((score - score.min()) / (spread or 1.0), dtype=np.float32)


def make(params: Params) -> ZCoreset:
    """The score with these options."""
    return ZCoreset(params)


def sample_points(
    embeddings: NDArray[np.float32], draws: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Two dimensions of each draw, int64 ``[draws, 2]`` (the same one twice in a single dimension),
    and a point in them, float32 ``[draws, 2]``."""
    size = embeddings.shape[1]
    first = rng.integers(size, size=draws)
    second = (first + rng.integers(1, max(2, size), size=draws)) % size
    dimensions = np.stack([first, second], axis=1)
    low, middle, high = (f(embeddings, axis=0) for f in (np.min, np.median, np.max))
    flat = low == high  # Triangular is not defined there; every sample has the same value
    points = rng.triangular(
        low[dimensions],
        middle[dimensions],
        np.where(flat, high + 1, high)[dimensions],
    )
    return dimensions, np.where(flat[dimensions], low[dimensions], points).astype(np.float32)


def wins(
    embeddings: NDArray[np.float32],
    dimensions: NDArray[np.int64],
    points: NDArray[np.float32],
) -> NDArray[np.int64]:
    """How many draws each sample is nearest to, int64 ``[N]``; ties go to the lowest id."""
    columns = np.ascontiguousarray(embeddings.T)
    won = np.zeros(len(embeddings), dtype=np.int64)
    apart, other = np.empty(len(embeddings), np.float32), np.empty(len(embeddings), np.float32)
    for (a, b), (x, y) in zip(dimensions.tolist(), points, strict=True):
        np.abs(np.subtract(columns[a], x, out=apart), out=apart)
        np.abs(np.subtract(columns[b], y, out=other), out=other)
        won[np.argmin(np.add(apart, other, out=apart))] += 1
    return won


def losses(embeddings: NDArray[np.float32], won: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """What each sample loses to its ``k``-neighbours that won, float64 ``[N]``."""
    lost = np.zeros(len(embeddings))
    index = Index(np.asarray(embeddings))
    winners = np.flatnonzero(won)
    for at in range(0, len(winners), _BLOCK):
        part = winners[at : at + _BLOCK]
        near = index.search(embeddings[part], k, exclude=part)
        same = near.distances == 0
        with np.errstate(divide="ignore"):
            weight = near.distances.astype(np.float64) ** -4
        weight[same.any(axis=1)] = 0  # a duplicate takes it all
        total = weight.sum(axis=1, keepdims=True)
        share = np.where(same, 1.0, weight / np.where(total > 0, total, 1))
        lost += np.bincount(
            near.indices.ravel(), (share * won[part, None]).ravel(), minlength=len(lost)
        )
    return lost
