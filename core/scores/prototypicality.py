"""Prototypicality (SSP, 2206.14486): distance to the nearest of k prototypes, without labels.

S(i) = 1 - cos(x_i, c), c the nearest centre of a spherical k-means over the embeddings of all
samples. Far samples are hard or rare, near ones typical. The paper keeps the far where data are
plenty and few are pruned, the near where data are scarce or many are pruned; its embeddings are
those of a self-supervised net, here those of ``embed``.

- ``far``: keeps the far. - ``near``: keeps the near (the score is then minus the distance).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.neighbors import normalise

KIND = "embedded"
DIRECTION: Literal["high", "low"] = "high"
FORMULA = "1 - cos(x, nearest of k spherical k-means centres); near: its negative"
READS = "embeddings of all samples; no labels"
WHEN = "no labels, good embeddings; near at high rates, far at low ones"

PRESETS = {"far": {"keep": "far"}, "near": {"keep": "near"}}

_ITERATIONS = 25
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Params:
    """How many prototypes, and which end is kept."""

    k: int = 10
    """Prototypes; about the number of classes."""
    keep: Literal["far", "near"] = "far"
    """far: hard samples; near: typical ones."""


@dataclass(frozen=True)
class Prototypicality:
    """Distances to prototypes."""

    params: Params

    def compute(
        self, embeddings: NDArray[np.float32], labels: None, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """float32 ``[N]`` from embeddings ``[N, d]``. Fewer samples than prototypes: UserError."""
        k = self.params.k
        if not 1 <= k <= len(embeddings):
            raise UserError(
                f"score.k is {k}, there are {len(embeddings)} samples",
                f"give a value from 1 to {len(embeddings)}",
            )
        centres = _centres(normalise(embeddings), k, int(rng.integers(2**31)))
        nearest = np.empty(len(embeddings), dtype=np.float32)
        for at in range(0, len(embeddings), _CHUNK):
            rows = normalise(embeddings[at : at + _CHUNK])
            nearest[at : at + _CHUNK] = (rows @ centres.T).max(axis=1)
        distance = 1 - nearest
        return distance if self.params.keep == "far" else -distance


def make(params: Params) -> Prototypicality:
    """The score with these options."""
    return Prototypicality(params)


def _centres(rows: NDArray[np.float32], k: int, seed: int) -> NDArray[np.float32]:
    import faiss

    kmeans = faiss.Kmeans(
        rows.shape[1], k, niter=_ITERATIONS, spherical=True, seed=seed, nredo=3,
        min_points_per_centroid=1, max_points_per_centroid=2048,
    )  # fmt: skip
    kmeans.train(rows)
    return normalise(np.asarray(kmeans.centroids, dtype=np.float32))
