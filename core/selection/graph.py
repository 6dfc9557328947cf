"""Message passing and greedy choice on the neighbour graph (D2, 2310.07931).

On the graph of each sample's k nearest neighbours, with edges e_ij = exp(-d_ij): (1) every score
gains its neighbours', s_i + sum over j of e_ij s_j. (2) Greedily the best remaining sample is kept
and its neighbours' scores fall by exp(-gamma d_ij) s_i, so that near-duplicates are not kept
together. Works on the neighbour lists alone: N k numbers, never N x N.
Distances are those between embeddings of length one, so that exp(-d) never vanishes. Scores are
shifted to begin at zero, and a sample whose score has fallen below zero discounts nobody: a weight
of the wrong sign would reward near-duplicates.

The authors' settings for CIFAR-10 at 90%: k = 5, gamma = 0.1, the 40% lowest by AUM cut off first.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.selection._cutoff import cutoff_at, without_hardest
from core.selection.base import Ids, SelectionInput

NEEDS = ("neighbors",)
COMPANION = "by"
FORMULA = "s_i + sum_j exp(-d_ij) s_j; keep the best, then s_j -= exp(-gamma d_ij) s_i"
WHEN = "data with many near-duplicates"


@dataclass(frozen=True)
class Params:
    """The graph, and how far a kept sample reaches."""

    k: int = 5
    """Neighbours of each sample."""
    gamma: float = 0.1
    """Decay of the discount with the distance; the larger, the less neighbours are discounted."""
    cutoff: float | str = 0.0
    """Share of all samples dropped as hardest before: as in the policy coverage."""
    by: str | None = None
    """The score that says which are hardest (in score.also); null: the score itself."""


def check(params: Params, rate: float) -> None:
    """A graph needs a neighbour, a discount no growth."""
    if params.k < 1:
        raise UserError(f"prune.k is {params.k}", "give 1 or more; 5 is published")
    if not params.gamma >= 0:
        raise UserError(f"prune.gamma is {params.gamma:g}", "give 0 or more; 0.1 is published")
    cutoff_at(params.cutoff, rate)


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """``n_keep`` ids, ties to the lowest. Draws nothing."""
    params = table.params or Params()
    check(params, rate)
    assert table.neighbors is not None
    distances, indices = table.neighbors[0][:, : params.k], table.neighbors[1][:, : params.k]
    left = np.zeros(len(table), dtype=bool)
    left[without_hardest(table, cutoff_at(params.cutoff, rate), params.by, n_keep)] = True
    edge = (indices >= 0) & left[indices]
    score = _finite(table.score)
    passed = (np.exp(-distances) * np.where(edge, score[indices], 0.0)).sum(axis=1)
    reach = np.where(edge, np.exp(-params.gamma * distances), 0.0)
    return _greedy(score + passed, left, indices, reach, n_keep)


def _finite(score: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores that begin at zero; infinite ones count as the largest or smallest finite one."""
    finite = score[np.isfinite(score)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    return np.clip(score.astype(np.float64), low, high) - low


def _greedy(
    score: NDArray[np.float64],
    left: NDArray[np.bool_],
    indices: Ids,
    reach: NDArray[np.float64],
    n_keep: int,
) -> Ids:
    """Scores only fall, so a heap may hold old ones: one that comes up is put back as it is now."""
    k = indices.shape[1]
    value = np.ascontiguousarray(score).data  # plain numbers, far faster than array items
    near = np.ascontiguousarray(indices).reshape(-1).data
    weight = np.ascontiguousarray(reach).reshape(-1).data
    members = np.flatnonzero(left)
    heap = list(zip((-score[members]).tolist(), members.tolist(), strict=True))
    heapq.heapify(heap)
    kept: list[int] = []
    while len(kept) < n_keep:
        negated, i = heap[0]
        now = value[i]
        if -negated != now:
            heapq.heapreplace(heap, (-now, i))
            continue
        heapq.heappop(heap)
        kept.append(i)
        if now <= 0:
            continue
        for at in range(i * k, (i + 1) * k):
            if weight[at]:
                value[near[at]] -= weight[at] * now
    return np.sort(np.array(kept, dtype=np.int64))
