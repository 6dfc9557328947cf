"""Nearest neighbours, shared by everything that looks for similar samples.

faiss on the CPU, chunked torch on a GPU; exact, unless that would take long
(:mod:`core.approximate`). Queries are taken from the embedding matrix in blocks, so
that beside the embeddings only the base (usually the scored subset) and one block are held.
Distances are Euclidean; ``metric="cosine"`` means Euclidean between rows of length one, which ranks
like the cosine. Results depend on the inputs and the thread count only, ties go to the lowest
index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core import approximate
from core.errors import RunFailure, UserError

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Metric = Literal["cosine", "euclidean"]
How = Literal["auto", "exact", "approximate"]
MISSED = 1 - approximate.WANTED

BLOCK = 4096  # queries at a time: what faiss itself hands to one matrix product
_DEVICE_CELLS = 2**27  # distances held at once on a GPU: 512 MiB of float32


class Neighbors(NamedTuple):
    """``distances`` float32 ``[q, k]``, ascending; ``indices`` int64 ``[q, k]`` into the base."""

    distances: Floats
    indices: Ids


def normalise(embeddings: Floats) -> Floats:
    """Rows scaled to Euclidean length one: ``[n, d]`` -> new float32 ``[n, d]``.

    Zero rows stay zero. Rows are first divided by their largest entry, so that neither huge nor
    tiny norms overflow or vanish when squared.
    """
    rows = np.array(embeddings, dtype=np.float32, ndmin=2)
    peak = np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))
    rows /= np.where(peak > 0, peak, 1)[:, None]
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows /= np.where(length > 0, length, 1)[:, None]
    return rows


class Index:
    """Search over ``base`` float32 ``[n, d]``; built once, asked as often as needed.

    ``threads`` None leaves the library's own choice. ``approximately``: the neighbours that will be
    asked for, to approximate the search where that finds nearly all; None: exact. ``how`` says what
    became of it. Not finite rows: :class:`RunFailure`.
    """

    def __init__(
        self,
        base: Floats,
        *,
        threads: int | None = None,
        device: str = "cpu",
        approximately: int | None = None,
    ) -> None:
        base = np.ascontiguousarray(base, dtype=np.float32)
        refuse_non_finite(base)
        self.size = len(base)
        on_cpu = device == "cpu"
        self._nearest = _faiss_search(base, threads) if on_cpu else _torch_search(base, device)
        self.how = "exact neighbours"
        if approximately is not None and on_cpu:
            self._approximate(base, threads, approximately)

    def _approximate(self, base: Floats, threads: int | None, k: int) -> None:
        with _limited(threads):
            made = approximate.build(base, self._nearest, k)
        if made is None:
            self.how = f"exact neighbours: an approximate search missed over {MISSED:.0%} of them"
            return
        nearest = made.nearest

        def limited(queries: Floats, k: int) -> tuple[Floats, Ids]:
            with _limited(threads):
                return nearest(queries, k)

        self._nearest = limited
        self.how = (
            f"approximate neighbours: {made.recall:.1%} of the true ones on a sample "
            f"({made.probes} of {made.lists} cells searched"
            f"{f', {made.components} components' if made.components else ''})"
        )

    def search(self, queries: Floats, k: int, exclude: Ids | None = None) -> Neighbors:
        """The ``k`` nearest base rows of each query ``[q, d]``.

        ``exclude`` int64 ``[q]``: one base row per query that must not be returned (-1: none), for
        samples that are themselves in the base. More neighbours than rows: :class:`UserError`.
        """
        available = self.size - (exclude is not None)
        if not 1 <= k <= available:
            raise UserError(
                f"{k} nearest neighbours were asked for among {available} samples",
                f"give extrapolate.k a value from 1 to {available}",
            )
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        refuse_non_finite(queries)
        squared, indices = self._nearest(queries, k + (exclude is not None))
        tied = np.flatnonzero((squared[:, 1:] == squared[:, :-1]).any(axis=1))
        order = np.lexsort((indices[tied], squared[tied]), axis=1)
        indices[tied] = np.take_along_axis(indices[tied], order, axis=1)
        if exclude is not None:
            # a stable sort of "is the sample itself" moves that entry last; without one, the
            # farthest of the k + 1 is last already
            order = np.argsort(indices == exclude[:, None], axis=1, kind="stable")[:, :k]
            squared = np.take_along_axis(squared, order, axis=1)
            indices = np.take_along_axis(indices, order, axis=1)
        return Neighbors(np.sqrt(squared), indices)


def search(
    base: Floats,
    queries: Floats,
    k: int,
    *,
    threads: int | None = None,
    device: str = "cpu",
    exclude: Ids | None = None,
) -> Neighbors:
    """One search over ``base`` ``[n, d]`` for ``queries`` ``[q, d]``: see :class:`Index`."""
    return Index(base, threads=threads, device=device).search(queries, k, exclude)


def search_rows(
    embeddings: Floats,
    base: Ids,
    queries: Ids,
    k: int,
    *,
    metric: Metric = "cosine",
    threads: int | None = None,
    device: str = "cpu",
    how: How = "auto",
    told: Callable[[str], None] | None = None,
    block: int = BLOCK,
) -> Iterator[tuple[slice, Neighbors]]:
    """Neighbours among the rows ``base`` of the rows ``queries`` of ``embeddings`` ``[N, d]``.

    ``how`` auto is approximate where exact would take long; what was done is ``told``. ``block``
    rows are copied, normalised and searched at a time. Yields ``(part, neighbors)`` where ``part``
    slices ``queries``; ``neighbors.indices`` are positions in ``base``. A query that is itself in
    ``base`` never finds itself.
    """
    project = normalise if metric == "cosine" else _shift(embeddings[base])
    rows = np.empty((len(base), embeddings.shape[1]), np.float32)
    for start in range(0, len(base), block):
        rows[start : start + block] = project(embeddings[base[start : start + block]])
    wanted = how == "approximate" or (
        how == "auto" and approximate.worthwhile(len(base), len(queries))
    )
    index = Index(
        rows, threads=threads, device=device,
        approximately=k if wanted else None,
    )  # fmt: skip
    if told is not None and wanted:
        told(index.how)
    position = np.full(len(embeddings), -1, dtype=np.int64)
    position[base] = np.arange(len(base))
    own = position[queries]
    exclude = own if bool((own >= 0).any()) else None
    for start in range(0, len(queries), block):
        part = slice(start, min(start + block, len(queries)))
        asked = project(embeddings[queries[part]])
        yield part, index.search(asked, k, None if exclude is None else exclude[part])


def among_all(
    embeddings: Floats,
    k: int,
    *,
    metric: Metric = "cosine",
    threads: int | None = None,
    device: str = "cpu",
    how: How = "auto",
    progress: Callable[[int, int], None] | None = None,
    told: Callable[[str], None] | None = None,
) -> Neighbors:
    """The ``k`` nearest of every row of ``embeddings`` ``[N, d]`` among all others: ``[N, k]``.

    ``progress`` is called with the rows done and all rows after every block.
    """
    everyone = np.arange(len(embeddings), dtype=np.int64)
    found = Neighbors(np.empty((len(everyone), k), np.float32), np.empty((len(everyone), k), int))
    search = search_rows(
        embeddings, everyone, everyone, k, metric=metric, threads=threads, device=device, how=how,
        told=told,
    )  # fmt: skip
    for part, near in search:
        found.distances[part], found.indices[part] = near
        if progress is not None:
            progress(part.stop, len(everyone))
    return found


def _shift(base: Floats) -> Callable[[Floats], Floats]:
    """Moves the origin to the base's mean.

    Distances stay, but squared distances computed by a matrix product no longer lose their digits
    to an offset that all embeddings share.
    """
    centre = base.mean(axis=0, dtype=np.float64).astype(np.float32)
    return lambda rows: rows - centre


def refuse_non_finite(rows: Floats) -> None:
    """:class:`RunFailure` when a row of ``[n, d]`` holds NaN or infinity."""
    parts = (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
    bad = len(rows) - sum(int(np.isfinite(part).all(axis=1).sum()) for part in parts)
    if bad:
        raise RunFailure(
            f"{bad} of {len(rows)} embeddings hold NaN or infinite values",
            "the net behind them has diverged: lower the learning rate",
        )


Search = Callable[[Floats, int], tuple[Floats, Ids]]


def _faiss_search(base: Floats, threads: int | None) -> Search:
    import faiss

    def nearest(queries: Floats, k: int) -> tuple[Floats, Ids]:
        with _limited(threads):
            # an index would copy the base
            squared, indices = faiss.knn(queries, base, k)
        return squared, indices

    return nearest


@contextmanager
def _limited(threads: int | None) -> Iterator[None]:
    """faiss with that many threads; the count before is restored."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads or before)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _torch_search(base: Floats, device: str) -> Search:
    import torch

    rows = torch.from_numpy(base).to(device)
    norms = rows.square().sum(1)
    step = max(1, min(BLOCK, _DEVICE_CELLS // max(len(base), 1)))

    def nearest(queries: Floats, k: int) -> tuple[Floats, Ids]:
        found = []
        for start in range(0, len(queries), step):
            block = torch.from_numpy(queries[start : start + step]).to(device)
            squared = torch.addmm(norms, block, rows.T, alpha=-2)
            squared += block.square().sum(1, keepdim=True)
            found.append(squared.clamp_min_(0).topk(k, largest=False))
        if not found:
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        squared_all = torch.cat([near.values for near in found])
        return squared_all.cpu().numpy(), torch.cat([near.indices for near in found]).cpu().numpy()

    return nearest
