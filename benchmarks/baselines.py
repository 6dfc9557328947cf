"""Bare versions of what the benchmarks time, and naive ones that must fail the same number.

At most 40 lines each, importing nothing of ``core``; same dtype, threads, layout and batch as the
side they are held against.
"""

from __future__ import annotations

import faiss
import numpy as np


def bare_neighbours(embeddings, scored, scores, k, threads):
    """faiss's exact search and the mean of the found scores; float32 values of the unscored."""
    faiss.omp_set_num_threads(threads)
    unscored = np.ones(len(embeddings), dtype=bool)
    unscored[scored] = False
    index = faiss.IndexFlatL2(embeddings.shape[1])
    index.add(embeddings[scored])
    _, found = index.search(embeddings[unscored], k)
    return scores[found].mean(axis=1)


def naive_membership(embeddings, scored, scores, k, threads):
    """The same with the unscored ids found by list membership, as the paper's code does."""
    faiss.omp_set_num_threads(threads)
    known = scored.tolist()
    unscored = [i for i in range(len(embeddings)) if i not in known]
    index = faiss.IndexFlatL2(embeddings.shape[1])
    index.add(embeddings[scored])
    _, found = index.search(embeddings[unscored], k)
    return scores[found].mean(axis=1)


def naive_distance_matrix(embeddings, scored, scores, k, threads):
    """The same through one matrix of all distances: what the memory figure must catch."""
    unscored = np.setdiff1d(np.arange(len(embeddings)), scored)
    base, queries = embeddings[scored], embeddings[unscored]
    apart = queries @ base.T
    apart *= -2
    apart += np.einsum("ij,ij->i", base, base)
    values = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), 1000):
        found = np.argpartition(apart[start : start + 1000], k, axis=1)[:, :k]
        values[start : start + 1000] = scores[found].mean(axis=1)
    return values
