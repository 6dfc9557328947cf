"""What a selection policy is: a pure function from scores to the ids that are kept.

A policy file has one function ``select(table, n_keep, rate, rng) -> ids``; if it reads more than
the score it says so in a literal ``NEEDS = ("labels",)`` (``labels``, ``embeddings``, ``neighbors``
or a further score), and if it has options it declares a ``class Params`` and finds them in
``table.params``; ``COMPANION = "by"`` says that the option ``by`` names a further score. The score
is always oriented: higher = keep. A function ``check(params, rate)`` may refuse settings that can
never work, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import UserError

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class SelectionInput:
    """What a policy may look at, all by sample id.

    ``score`` float32 ``[N]``, higher = keep; ``labels`` int64 ``[N]`` or None (-1: unlabelled);
    ``columns``: companion scores ``[N]`` by name, as they are, and ``directions`` which end of each
    is important (``"high"`` or ``"low"``); ``embeddings`` float32 ``[N, d]`` or None; ``neighbors``
    ``(distances, indices)`` ``[N, k]`` into the rows of this table, -1 where one lies outside, or
    None; ``params``: the policy's own options.
    """

    score: NDArray[np.float32]
    labels: Ids | None = None
    columns: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    params: Any = None
    directions: Mapping[str, str] = field(default_factory=dict)
    embeddings: NDArray[np.float32] | None = None
    neighbors: tuple[NDArray[np.float32], Ids] | None = None

    def __len__(self) -> int:
        return len(self.score)


class Policy(Protocol):
    """The face of a policy module."""

    def select(
        self, table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator
    ) -> Ids: ...


def keep(
    policy: Policy, table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator
) -> Ids:
    """Run a policy and hold it to its contract: ``n_keep`` unique ids, sorted, int64.

    A missing column, a NaN score or an impossible ``n_keep``: :class:`UserError`. A policy that
    returns anything else than what was asked: RuntimeError.
    """
    _check(policy, table, n_keep)
    ids = np.sort(np.asarray(policy.select(table, n_keep, rate, rng), dtype=np.int64))
    inside = len(ids) == 0 or (ids[0] >= 0 and ids[-1] < len(table))
    if len(ids) != n_keep or not inside or bool((np.diff(ids) == 0).any()):
        raise RuntimeError(
            f"the policy {policy} did not return {n_keep} unique ids of 0..{len(table) - 1}"
        )
    return ids


def highest(score: ArrayLike, n: int) -> Ids:
    """The ``n`` ids with the highest score, sorted by id; ties go to the lowest id. O(N)."""
    values = np.asarray(score)
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    if n >= len(values):
        return np.arange(len(values), dtype=np.int64)
    cut = np.partition(values, len(values) - n)[len(values) - n]
    chosen = values > cut
    tied = np.flatnonzero(values == cut)
    chosen[tied[: n - int(chosen.sum())]] = True
    return np.flatnonzero(chosen).astype(np.int64)


def _check(policy: Policy, table: SelectionInput, n_keep: int) -> None:
    if not 0 < n_keep <= len(table):
        raise UserError(
            f"{n_keep} of {len(table)} samples cannot be kept",
            "choose a rate that keeps at least one",
        )
    unknown = int(np.isnan(table.score).sum())
    if unknown:
        raise UserError(
            f"{unknown} of {len(table)} samples have no score (NaN)",
            "prune by a score that every sample has",
        )
    for name in _needs(policy, table.params):
        if name == "labels" and table.labels is None:
            raise UserError("this policy needs labels, and the data has none", "use policy top_k")
        if name in ("embeddings", "neighbors"):
            if getattr(table, name) is None:
                raise UserError(f"this policy needs {name}, and there are none", "use policy top_k")
        elif name not in {"labels", *table.columns}:
            raise UserError(
                f"this policy needs the score '{name}'", f"add it: score.also: [{name}]"
            )


def _needs(policy: Policy, params: Any) -> tuple[str, ...]:
    needs: tuple[str, ...] = getattr(policy, "NEEDS", ())
    companion = getattr(params, getattr(policy, "COMPANION", ""), None)
    return (*needs, companion) if companion else needs
