"""Approximate nearest neighbours for bases too large to compare with everything.

Rows are projected on their first principal components where the dimension is high, put into the
cells of an inverted file (faiss IVF), and searched in a few cells; of three times as many
candidates as asked for the nearest by the full distance are taken. How many cells are searched, and
whether any of this is good enough, is measured: on a sample of base rows the share of true
neighbours found must reach ``WANTED``; otherwise the search is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Search = Callable[[Floats, int], tuple[Floats, Ids]]

CELLS = 2 * 10**10  # distances of an exact search above which it is approximated
LEAST = 20_000  # base rows below which an exact search is never slow
WANTED = 0.95
_PROBES = (8, 16, 32, 64, 128)
_COMPONENTS = 64
_MORE = 3  # candidates for each neighbour wanted, where rows were projected
_SAMPLE = 256
_BLOCK = 256  # queries whose candidates are compared at a time


@dataclass(frozen=True)
class Approximate:
    """A search and the share of true neighbours it found on a sample of base rows."""

    nearest: Search
    recall: float
    probes: int
    lists: int
    components: int | None


def worthwhile(base: int, queries: int) -> bool:
    """Whether comparing all with all takes long."""
    return base >= LEAST and base * queries > CELLS


def build(base: Floats, exact: Search, k: int) -> Approximate | None:
    """An approximate search of ``k`` in ``base`` ``[n, d]``, or None where it misses too many."""
    sample = np.random.default_rng(0).permutation(len(base))[:_SAMPLE]
    queries, asked = np.ascontiguousarray(base[sample]), min(k + 1, len(base))
    truth = exact(queries, asked)[1]
    widths = (_COMPONENTS, None) if base.shape[1] > 2 * _COMPONENTS else (None,)
    for width in widths:
        index, project = _index(base, width)
        for probes in _PROBES:
            if probes > index.nlist // 2:
                break
            nearest = _search(base, index, project, probes, exact)
            found = nearest(queries, asked)[1]
            pairs = zip(found, truth, strict=True)
            recall = float(np.mean([len(np.intersect1d(a, b)) / asked for a, b in pairs]))
            if recall >= WANTED:
                return Approximate(nearest, recall, probes, index.nlist, width)
    return None


def _index(base: Floats, width: int | None) -> tuple[Any, Callable[[Floats], Floats]]:
    import faiss

    project: Callable[[Floats], Floats] = _same
    if width is not None:
        some = base[np.random.default_rng(1).permutation(len(base))[:20_000]]
        centre = some.mean(axis=0, dtype=np.float64).astype(np.float32)
        apart = some - centre
        axes = np.linalg.eigh((apart.T @ apart).astype(np.float64))[1][:, -width:]
        basis = np.ascontiguousarray(axes, dtype=np.float32)
        project = lambda rows: np.ascontiguousarray((rows - centre) @ basis)  # noqa: E731
    rows = project(base)
    lists = max(16, min(int(4 * np.sqrt(len(base))), len(base) // 40))  # faiss wants 39 a cell
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(rows.shape[1]), rows.shape[1], lists)
    index.train(rows[np.random.default_rng(2).permutation(len(rows))[: 40 * lists]])
    index.add(rows)
    return index, project


def _same(rows: Floats) -> Floats:
    return rows


def _search(
    base: Floats, index: Any, project: Callable[[Floats], Floats], probes: int, exact: Search
) -> Search:
    import faiss

    settings: Any = faiss.SearchParametersIVF()
    settings.nprobe = probes
    projected = project is not _same

    def nearest(queries: Floats, k: int) -> tuple[Floats, Ids]:
        wanted = min(k * _MORE if projected else k, len(base))
        squared, indices = index.search(project(queries), wanted, params=settings)
        short = np.flatnonzero((indices < 0).any(axis=1))
        if projected:
            squared, indices = _nearest_of(base, queries, np.maximum(indices, 0), k)
        if len(short):  # the cells searched hold fewer rows than that
            squared[short], indices[short] = exact(np.ascontiguousarray(queries[short]), k)
        return squared, indices

    return nearest


def _nearest_of(base: Floats, queries: Floats, candidates: Ids, k: int) -> tuple[Floats, Ids]:
    """The ``k`` nearest of each query's candidates by the full distance, ascending."""
    squared = np.empty((len(queries), k), np.float32)
    indices = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _BLOCK):
        block = slice(start, start + _BLOCK)
        apart = base[candidates[block]] - queries[block, None]
        found = np.einsum("qcd,qcd->qc", apart, apart)
        order = np.argsort(found, axis=1, kind="stable")[:, :k]
        squared[block] = np.take_along_axis(found, order, axis=1)
        indices[block] = np.take_along_axis(candidates[block], order, axis=1)
    return squared, indices
