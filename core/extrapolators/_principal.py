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

LEAST, PER_COLUMN = 2048, 4  # rows that the statistics are taken from
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
    def share(self) -> float:
        """Of the variance, that the components hold."""
        return float(self.variance.sum()) / self.total if self.total > 0 else 1.0

    @property
    def enough(self) -> bool:
        """Whether they hold ``EXPLAINED`` of it."""
        return self.share >= EXPLAINED

    def rows(self, embeddings: Floats) -> Floats:
        """``[n, d]`` to float32 ``[n, c]``."""
        out = np.empty((len(embeddings), len(self.shift)), np.float32)
        for start in range(0, len(out), _BLOCK):
            part = out[start : start + _BLOCK]
            block, length = _measured(embeddings[start : start + _BLOCK])
            np.matmul(block, self.matrix, out=part)
            part /= length[:, None]
            part -= self.shift
        return out


def projection(embeddings: Floats, most: int) -> Projection:
    """The components of ``embeddings`` ``[N, d]`` that hold ``EXPLAINED`` of the variance of their
    standardised columns, at most ``most`` (below ``d``)."""
    from scipy.linalg import eigh

    rows, length = _measured(embeddings[sample(*embeddings.shape)])
    rows = rows / length[:, None]
    count, width = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64)
    rows -= mean.astype(np.float32)
    gram = rows.T @ rows / np.float32(count)
    spread = np.sqrt(gram.diagonal())
    scale = np.where(spread > 0, spread, np.float32(1))
    gram /= scale[:, None] * scale
    total = float(np.trace(gram, dtype=np.float64))
    values, vectors = eigh(gram, subset_by_index=(width - most, width - 1), driver="evr")
    variance = np.maximum(values[::-1], 0).astype(np.float64)
    enough = int(np.searchsorted(np.cumsum(variance), EXPLAINED * total)) + 1
    matrix = vectors[:, ::-1][:, :enough] / scale[:, None]
    shift = (mean @ matrix).astype(np.float32)
    return Projection(np.ascontiguousarray(matrix, np.float32), shift, variance[:enough], total)


def sample(count: int, width: int) -> Ids:
    """Of ``[count, width]`` the rows to take statistics from: all of few, else drawn with a fixed
    seed, sorted."""
    wanted = max(LEAST, PER_COLUMN * width)
    if count <= wanted:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, wanted, replace=False))


def _measured(embeddings: Floats) -> tuple[Floats, Floats]:
    """Rows ``[n, d]`` as float32 and their lengths ``[n]``: unit rows and ones where squares would
    overflow or vanish."""
    rows = np.asarray(embeddings, dtype=np.float32)
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", rows, rows)
    if _SAFE[0] < squares.min(initial=1) and squares.max(initial=1) < _SAFE[1]:
        return rows, np.sqrt(squares)
    return normalise(rows), np.ones(len(rows), np.float32)
