"""Embeddings in few columns: unit rows, standardised columns, principal components.

What is linear in the embedding (a smoothing along a graph, the first product of a network) can be
done after the projection as well as before it, at the fraction of the columns that is left.
Statistics and directions come from a fixed sample of the rows where there are many; dividing by the
rows' lengths and the columns' deviations is part of the projection, so that the embeddings are read
once and never copied.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.extrapolators.base import Floats, Ids
from core.neighbors import normalise

SAMPLE = 4096  # rows that the statistics are taken from
EXPLAINED = 0.99  # share of the variance after which further components are not read
_BLOCK = 1024  # rows at a time: what stays in the processor's cache between two looks at it
_SAFE = (1e-30, 1e30)  # squared lengths of rows whose products neither overflow nor vanish


class Projection(NamedTuple):
    """Unit rows ``u`` ``[d]`` to ``u @ matrix - shift``, ``[c]``; ``variance`` float64 ``[c]`` is
    that of the components, ``total`` that of all ``d`` standardised columns."""

    matrix: Floats
    shift: Floats
    variance: NDArray[np.float64]
    total: float

    @property
    def enough(self) -> bool:
        """Whether the components hold ``EXPLAINED`` of the variance."""
        return bool(self.variance.sum() >= EXPLAINED * self.total)

    def rows(self, embeddings: Floats) -> Floats:
        """``[n, d]`` to float32 ``[n, c]``."""
        out = np.empty((len(embeddings), len(self.shift)), np.float32)
        for start in range(0, len(out), _BLOCK):
            block = np.asarray(embeddings[start : start + _BLOCK], dtype=np.float32)
            part = out[start : start + _BLOCK]
            with np.errstate(over="ignore"):
                squares = np.einsum("ij,ij->i", block, block)
            if _SAFE[0] < squares.min() and squares.max() < _SAFE[1]:
                np.matmul(block, self.matrix, out=part)
                part /= np.sqrt(squares)[:, None]
            else:
                np.matmul(normalise(block), self.matrix, out=part)
            part -= self.shift
        return out


def projection(embeddings: Floats, most: int) -> Projection:
    """The components of ``embeddings`` ``[N, d]`` that hold ``EXPLAINED`` of the variance of their
    standardised columns, at most ``most`` (below ``d``)."""
    from scipy.linalg import eigh

    rows = normalise(embeddings[sample(len(embeddings))])
    mean = rows.mean(axis=0, dtype=np.float64)
    rows -= mean.astype(np.float32)
    spread = rows.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 0, spread, 1)
    rows /= scale.astype(np.float32)
    width = rows.shape[1]
    gram = rows.T @ rows
    values, vectors = eigh(gram, subset_by_index=(width - most, width - 1), driver="evr")
    variance = np.maximum(values[::-1], 0).astype(np.float64) / len(rows)
    total = float(np.trace(gram, dtype=np.float64)) / len(rows)
    enough = int(np.searchsorted(np.cumsum(variance), EXPLAINED * total)) + 1
    matrix = vectors[:, ::-1][:, :enough] / scale[:, None]
    shift = (mean @ matrix).astype(np.float32)
    return Projection(
        np.ascontiguousarray(matrix, np.float32), shift, variance[:enough], float(total)
    )


def sample(count: int) -> Ids:
    """Rows to take statistics from: all of few, else ``SAMPLE`` drawn with a fixed seed, sorted."""
    if count <= SAMPLE:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, SAMPLE, replace=False))
