"""The block of tasks from the subset's scores to the kept sets: extrapolation, selection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.errors import UserError
from core.facts import DataFacts
from core.mixing import epoch_samples
from core.needs import SAMPLERS, companions, graph_neighbors
from core.plan.digests import Digests
from core.plan.names import TaskNames
from core.plan.passes import scoring_passes
from core.plan.trials import Trial, subset_size
from core.span import moments
from core.spec import Spec
from core.uniting import Described


def prediction_tasks(
    spec: Spec, facts: DataFacts, names: TaskNames, digests: Digests
) -> Iterator[Described]:
    """What gives every sample a score, and the scores of all data where they are asked for."""
    base, told = digests.base(spec, facts), [digests.of(score) for score in digests.scores(spec)]
    if (k := graph_neighbors(spec)) is not None:
        yield Described(names.neighbors, (names.embed,), {"k": k}, {})
    if names.kind == "trained":
        yield from _cross_fitted(spec, names, facts, digests)
        parts = {"extrapolate": digests.of(spec.extrapolate), "scores": told}
        yield Described(names.extrapolate, names.extrapolation, parts, {})
    else:
        needs = (names.embed,) if names.kind == "embedded" else ()
        yield Described(names.measure, needs, {"scores": told, "base": base}, {})
    if spec.reference == "full":
        kept = digests.kept(spec)
        more = {"scores": kept, **scoring_passes(spec, facts, facts.n_train, kept)}
        yield Described(names.reference, (), digests.net(spec, facts), more)


def _cross_fitted(
    spec: Spec, names: TaskNames, facts: DataFacts, digests: Digests
) -> Iterator[Described]:
    """One net for each fold of the subset, trained without it, watched on all it does not see."""
    folds = len(names.folds)
    if not folds:
        return
    size, net = subset_size(spec, facts), digests.net(spec, facts)
    if size < 2 * folds:
        what = f"score.cross_fit: {folds} folds of {size} scored samples"
        raise UserError(what, "lower it or raise subset.fraction")
    for index, name in enumerate(names.folds):
        count = size - (size - index + folds - 1) // folds
        shown = epoch_samples(spec.train, count, facts)
        epochs = spec.train.epochs.epochs(shown, spec.train.batch)
        if not epochs:
            what = f"score.cross_fit: {spec.train.epochs} is less than an epoch of {count} samples"
            raise UserError(what, "raise train.epochs")
        extra = (facts.n_train - count) * len(moments(epochs))
        passes = scoring_passes(spec, facts, count, ())["passes"] + extra
        more = {"net": index, "passes": passes, "extra_passes": extra}
        yield Described(name, (names.subset,), {**net, "folds": folds, "fold": index}, more)


def selection_task(
    spec: Spec, facts: DataFacts, names: TaskNames, trial: Trial, digests: Digests
) -> Described | None:
    """The task that chooses what a trial keeps; None where nothing is chosen."""
    if trial.method in ("full", *SAMPLERS):
        return None
    scores = digests.scores(spec)
    needs = names.selection(trial, subset_size(spec, facts))
    reads_scores = {names.nets[0], names.reference, names.measure, names.direct[0]} & {*needs}
    wanted = _read_by_policy(spec, scores) if reads_scores else None
    parts = {
        "trial": [trial.method, trial.policy, trial.rate],
        "params": spec.prune.params if trial.policy == spec.prune.policy else {},
        "score": None if wanted is None else [digests.of(score) for score in wanted],
        "base": digests.base(spec, facts),
    }
    return Described(f"prune-{trial.id}", needs, parts, {"trial": trial})


def _read_by_policy(spec: Spec, scores: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    further = companions(spec.prune.policy, spec.prune.params)
    return [scores[0], *(s for s in scores[1:] if s["name"] in further)]
