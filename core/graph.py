"""The neighbour graph of all samples: symmetric, weighted on each sample's own scale.

Weights are exp(-d / (s_i s_j)^(1/2)) with s_i the mean distance of sample i to its neighbours
(after Zelnik-Manor and Perona 2004), so that neither the length nor the dimension of embeddings
decides whether an edge counts: with plain exp(-d) most of them vanish beside a self-loop of 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.neighbors import Neighbors

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
_COLUMNS = 16


def symmetric(near: Neighbors, k: int) -> csr_array:
    """Adjacency, float32 ``[N, N]``, of the graph in which two samples are joined when one of them
    is among the other's ``k`` nearest. No self-loops; ``near`` holds no sample's own row."""
    distances, indices = near.distances[:, :k], near.indices[:, :k]
    count, k = indices.shape
    scale = np.maximum(distances.mean(axis=1, dtype=np.float64), np.finfo(np.float32).tiny)
    root = 1 / np.sqrt(scale)
    weights = np.exp(-distances * root[:, None] * root[indices]).astype(np.float32)
    short = np.int32 if count * k < 2**30 else np.int64  # SciPy keeps what it is given
    starts = np.arange(0, count * k + 1, k, dtype=short)
    found = (weights.ravel(), indices.ravel().astype(short), starts)
    incoming = _transposed(csr_array(found, shape=(count, count)))
    # an edge found from both ends has one weight, up to the rounding of its two distances
    return csr_array(_transposed(incoming).maximum(incoming))


def _transposed(matrix: csr_array) -> csr_array:
    """With sorted columns, by counting: the transpose of the transpose sorts a matrix."""
    made = csr_array(matrix.T.tocsr())
    made.has_canonical_format = True  # otherwise SciPy joins two of them by a slower way
    return made


def transition(adjacency: csr_array) -> csr_array:
    """Rows scaled to sum to one: the step probabilities of a random walk, ``[N, N]``. A sample
    whose weights all vanished stays where it is."""
    degree = np.asarray(adjacency.sum(axis=1), dtype=np.float64).ravel()
    alone = np.flatnonzero(degree <= 0)
    if len(alone):
        ones = (np.ones(len(alone), np.float32), (alone, alone))
        adjacency = csr_array(adjacency + csr_array(ones, shape=adjacency.shape))
        degree[alone] = 1
    lengths = np.diff(adjacency.indptr)
    scaled = (adjacency.data / np.repeat(degree, lengths)).astype(np.float32)
    return csr_array((scaled, adjacency.indices, adjacency.indptr), shape=adjacency.shape)


def normalised(adjacency: csr_array, loops: float = 1.0) -> csr_array:
    """D^(-1/2) (A + loops * diag(mean weight)) D^(-1/2), ``[N, N]`` (Kipf and Welling 1609.02907).

    A self-loop is as heavy as the sample's mean edge times ``loops``, so that it stays in
    proportion whatever the scale of the weights.
    """
    count, lengths = adjacency.shape[0], np.diff(adjacency.indptr)
    degree = np.asarray(adjacency.sum(axis=1), dtype=np.float64).ravel()
    own = np.where(degree > 0, loops * degree / np.maximum(lengths, 1), 1.0)
    root = (1 / np.sqrt(degree + own)).astype(np.float32)
    # a row's entries move by the loops before it; its own comes last
    starts = adjacency.indptr + np.arange(count + 1, dtype=adjacency.indptr.dtype)
    loop, edges = starts[1:] - 1, np.ones(starts[-1], dtype=bool)
    edges[loop] = False
    data, columns = np.empty(len(edges), np.float32), np.empty(len(edges), adjacency.indices.dtype)
    data[edges] = adjacency.data * np.repeat(root, lengths) * root[adjacency.indices]
    columns[edges] = adjacency.indices
    data[loop], columns[loop] = own * np.square(root), np.arange(count)
    return csr_array((data, columns, starts), shape=adjacency.shape)


def smooth(
    step: csr_array, rows: Floats, hops: int, out: Floats | None = None, wanted: Ids | None = None
) -> Floats:
    """``step`` ``[N, N]`` to the power of ``hops`` times ``rows``, float32 ``[N, D]``, in ``out``
    where it is given; where ``wanted`` are, ``out`` keeps its other rows. A few columns at a time:
    what SciPy adds up then stays in the processor's cache."""
    out = np.zeros(rows.shape, np.float32) if out is None else out
    last = step if wanted is None else csr_array(step[wanted])
    for start in range(0, rows.shape[1], _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        found: Any = np.ascontiguousarray(rows[:, columns])
        for _ in range(hops - 1):
            found = step @ found
        out[slice(None) if wanted is None else wanted, columns] = last @ found
    return out
