"""Ids of a seed's tasks, and what a selection reads."""

from __future__ import annotations

from functools import cached_property

from core.needs import extrapolator_dynamics, extrapolator_neighbors, policy_needs, score_kind
from core.plan.trials import Trial
from core.spec import Spec


class TaskNames:
    """Ids of one seed's tasks, and which of them a selection needs."""

    def __init__(self, spec: Spec, seed: int) -> None:
        self.spec = spec
        self.kind = score_kind(spec.score.name)
        self.subset, self.embed, self.measure, self.neighbors, self.extrapolate, self.reference = (
            f"{stage}-s{seed}"
            for stage in ("subset", "embed", "measure", "neighbors", "extrapolate", "reference")
        )
        further = range(1, spec.score.nets if self.kind == "trained" else 1)
        self.nets, self.direct = (
            (f"{stage}-s{seed}", *(f"{stage}-s{seed}-net{i}" for i in further))
            for stage in ("score", "direct")
        )

    @cached_property
    def folds(self) -> tuple[str, ...]:
        """The cross-fitted nets, where the extrapolator reads them."""
        count = self.spec.score.cross_fit if extrapolator_dynamics(self.spec) else 0
        seed = self.subset.removeprefix("subset-")
        return tuple(f"crossfit-{seed}-fold{i}" for i in range(count))

    @cached_property
    def extrapolation(self) -> tuple[str, ...]:
        """What the extrapolation reads."""
        found = (self.subset, *self.nets, self.embed, *self.folds)
        return (*found, self.neighbors) if extrapolator_neighbors(self.spec) else found

    def selection(self, trial: Trial, size: int) -> tuple[str, ...]:
        """What the selection of a trial reads, where the subset has ``size`` samples."""
        method = trial.method
        if method == "random":
            return ()
        if method == "subset_only" and trial.n_keep == size:
            return (self.subset,)
        if method == self.spec.extrapolate.name:
            measured = (*self.extrapolation, self.extrapolate)
            needs = measured if self.kind == "trained" else (self.measure,)
        elif method == "direct":
            needs = (self.subset, *self.direct)
        elif method == "full_scores":
            needs = (self.reference,)
        else:
            needs = (self.subset, *(self.nets if self.kind == "trained" else (self.measure,)))
        return (*needs, *(name for name in self._policy_reads if name not in needs))

    @cached_property
    def _policy_reads(self) -> list[str]:
        also = {"embeddings": self.embed, "neighbors": self.neighbors}
        return [also[n] for n in policy_needs(self.spec.prune.policy) if n in also]
