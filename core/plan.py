"""From specs to one graph of tasks. Pure: nothing is read, drawn or computed but counts.

A run is the graph of one spec, a sweep the graph of many: tasks whose inputs are described by the
same words are one task, whoever asked for it (``cells``). Which ids a task gets is known only when
it runs, so keys of the store are made then; here a task's ``identity`` hashes the *description*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from pydantic import BaseModel

from core import registry
from core.errors import UserError
from core.facts import DataFacts
from core.mixing import check_recipe, check_subset, epoch_samples
from core.needs import (
    MEASURED,
    SAMPLERS,
    attack_passes,
    companions,
    policy_needs,
    policy_neighbors,
    reads_dynamics,
    score_kind,
    step_passes,
)
from core.span import epochs_read, moments
from core.spec import Spec
from core.uniting import Blocks, Described, Draft, Drafts
from core.units import digest, n_keep, round_share, sample_passes


@dataclass(frozen=True)
class Trial:
    """One retraining: (seed, method, policy, rate) and the count of samples it keeps."""

    seed: int
    method: str
    policy: str | None
    rate: float
    n_keep: int

    @property
    def id(self) -> str:
        """``s0-knn-top_k-r0.3000``; also the file name of the trial's artifacts."""
        return f"s{self.seed}-{self.method}-{self.policy or 'none'}-r{self.rate:.4f}"


@dataclass(frozen=True)
class Task:
    """A unit of work: one stage with its inputs.

    ``passes`` counts samples shown to a net (with backward or not), evaluation left out.
    ``scores`` are the resolved score sections that a scoring task records; ``net`` counts the
    scoring nets of a seed that are averaged, or the folds that cross-fitted nets leave out.
    """

    id: str
    stage: str
    seed: int
    needs: tuple[str, ...] = ()
    trial: Trial | None = None
    passes: int = 0
    extra_passes: int = 0
    scores: tuple[Mapping[str, Any], ...] = ()
    net: int = 0
    identity: str = ""
    cells: tuple[int, ...] = (0,)

    def to_dict(self) -> dict[str, Any]:
        """The task as the journal's ``plan`` event lists it."""
        return {
            "task": self.id, "stage": self.stage, "seed": self.seed,
            "trial": self.trial.id if self.trial else None, "needs": list(self.needs),
            "sample_passes": self.passes,
        }  # fmt: skip


@dataclass(frozen=True)
class Graph:
    """Tasks in an order in which each comes after what it needs."""

    tasks: tuple[Task, ...]
    specs: tuple[Spec, ...]
    facts: tuple[DataFacts, ...] = field(default=())
    names: tuple[Mapping[str, str], ...] = field(default=())
    """By cell: the task ids it would have alone -> the ids in this graph."""

    @cached_property
    def _by_id(self) -> dict[str, Task]:
        return {task.id: task for task in self.tasks}

    def __getitem__(self, task_id: str) -> Task:
        return self._by_id[task_id]

    def spec_of(self, task: Task) -> Spec:
        """A spec that describes the task; all its cells agree on what it reads."""
        return self.specs[task.cells[0]]

    def of_cell(self, cell: int) -> list[Task]:
        """The tasks one spec asked for."""
        return [t for t in self.tasks if cell in t.cells]


def subset_size(spec: Spec, facts: DataFacts) -> int:
    """m, the number of scored samples. UserError when it cannot be drawn."""
    total, subset = facts.n_train, spec.subset
    if subset.how == "labelled":
        return _labelled_size(facts)
    size = subset.n if subset.n is not None else round_share(subset.fraction or 0.0, total)
    if subset.how == "real" and facts.n_real and size <= facts.n_real:
        raise UserError(
            f"subset.how: real takes all {facts.n_real:,} real samples and some generated ones, "
            f"and the subset has {size:,}",
            "raise subset.fraction or subset.n",
        )
    if size < facts.classes:
        raise UserError(
            f"the subset has {size} samples for {facts.classes} classes",
            "raise subset.fraction or subset.n",
        )
    if size >= total:
        raise UserError(f"subset.n = {size} is not smaller than the {total} training samples")
    return size


def _check_labels(spec: Spec, facts: DataFacts) -> None:
    """Full-data scores need every label; what is chosen may be labelled later."""
    missing = 0 if facts.n_labelled is None else facts.n_train - facts.n_labelled
    if missing and spec.reference == "full":
        what = f"reference: full trains on everything, and {missing:,} samples have no label"
        raise UserError(what, "use reference: none")
    if missing and "direct" in spec.baselines:
        what = f"the baseline direct reads every label, and {missing:,} samples have none"
        raise UserError(what, "leave direct out of baselines")
    if "direct" in spec.baselines and score_kind(spec.score.name) != "trained":
        what = f"the baseline direct: {spec.score.name} scores every sample anyway"
        raise UserError(what, "leave direct out of baselines")


def _labelled_size(facts: DataFacts) -> int:
    size = facts.n_train if facts.n_labelled is None else facts.n_labelled
    if size == facts.n_train:
        raise UserError(
            "subset.how is labelled, but every training sample has a label",
            "use subset.how: random, with a fraction",
        )
    if size < facts.classes:
        raise UserError(f"{size} samples are labelled, of {facts.classes} classes", "label more")
    return size


def trials(spec: Spec, facts: DataFacts, seed: int) -> list[Trial]:
    """All retrainings of one seed, the method first."""
    total, rates, policy = facts.n_train, sorted(spec.prune.rates), spec.prune.policy
    for rate in rates:
        if n_keep(rate, total) < 1:
            raise UserError(f"prune.rates: {rate:g} of {total} samples keeps none")
    found = [Trial(seed, spec.extrapolate.name, policy, r, n_keep(r, total)) for r in rates]
    for method in spec.baselines:
        if method == "full":
            found.append(Trial(seed, "full", None, 0.0, total))
        elif method == "subset_only":
            found += _subset_trials(spec, facts, seed)
        else:
            chosen = {"random": "random", "rs2": None, "infobatch": None}.get(method, policy)
            found += [Trial(seed, method, chosen, r, n_keep(r, total)) for r in rates]
    return found


def _subset_trials(spec: Spec, facts: DataFacts, seed: int) -> list[Trial]:
    """The whole subset at rate 1 - m/N, and its best samples at higher rates. A listed rate that
    keeps m samples, or that is the same to four decimals, stands for the former."""
    size, total = subset_size(spec, facts), facts.n_train
    kept = {r: n for r in spec.prune.rates if (n := n_keep(r, total)) <= size}
    whole = 1 - size / total
    if size not in kept.values() and f"{whole:.4f}" not in {f"{r:.4f}" for r in kept}:
        kept[whole] = size
    return [Trial(seed, "subset_only", spec.prune.policy, r, n) for r, n in sorted(kept.items())]


_SCORING = (
    "data", "paradigm", "model", "subset", "train", "score", "embed", "baselines", "reference",
    "compute",
)  # fmt: skip
_CHOOSING = (*_SCORING, "extrapolate", "prune")
_RETRAINING = ("data", "paradigm", "model", "retrain", "compute")


def build_graph(cells: Sequence[tuple[Spec, DataFacts]]) -> Graph:
    """The graph of all cells, equal tasks united. UserError when a spec does not fit its data."""
    planner = _Planner()
    names = [planner.add(index, *cell) for index, cell in enumerate(cells)]
    tasks = tuple(_finished(draft, cells) for draft in planner.order)
    return Graph(tasks, tuple(s for s, _ in cells), tuple(f for _, f in cells), tuple(names))


@dataclass(frozen=True, eq=False)
class _Chosen:
    """What is done between the scores and the retrainings of one seed, which come in pairs with
    the selections they read (None: they read none)."""

    predicted: Mapping[str, Draft]
    selected: Sequence[tuple[Trial, str, Draft | None]]
    """Trials with their ids."""


class _Planner:
    """Describes the tasks of cell after cell, in blocks that cells with the same sections share:
    what is trained on the subset, what is chosen by it, and the retrainings."""

    def __init__(self) -> None:
        self.order: list[Draft] = []
        shared = Drafts(), _Words()
        self._scored = Blocks(partial(_scored, *shared), _SCORING)
        self._chosen = Blocks(partial(_chosen, *shared, self._scored), _CHOOSING)
        self._retrainings = Blocks(partial(_Retrainings, *shared), _RETRAINING)

    def add(self, index: int, spec: Spec, facts: DataFacts) -> dict[str, str]:
        """Count a cell's tasks; their ids in the graph by those they would have alone."""
        found: dict[str, Draft] = {}
        for seed in spec.seeds:
            found |= self._scored.of(spec, facts, seed)
            chosen = self._chosen.of(spec, facts, seed)
            found |= chosen.predicted
            retrained = self._retrainings.of(spec, facts, seed)
            # where the others take as long as full it comes first
            full_first = (
                sorted(chosen.selected, key=_not_full) if retrained.timed else chosen.selected
            )
            for trial, name, selection in full_first:
                if selection is not None:
                    found[f"prune-{name}"] = selection
                found[f"retrain-{name}"] = retrained.of(trial, name, selection)
        for draft in found.values():
            if not draft.cells:
                self.order.append(draft)
            draft.cells.append(index)
        return {name: draft.id for name, draft in found.items()}


def _scored(
    drafts: Drafts, words: _Words, spec: Spec, facts: DataFacts, seed: int
) -> dict[str, Draft]:
    return drafts.block(_scoring_tasks(spec, facts, seed, words), seed)


def _chosen(
    drafts: Drafts, words: _Words, scored: Blocks[dict[str, Draft]],
    spec: Spec, facts: DataFacts, seed: int,
) -> _Chosen:  # fmt: skip
    before, names = scored.of(spec, facts, seed), _Names(spec, seed)
    predicted = drafts.block(_prediction_tasks(spec, facts, names, words), seed, before)
    known, selected = {**before, **predicted}, []
    for trial in trials(spec, facts, seed):
        task = _selection_task(spec, facts, names, trial, words)
        selected.append((trial, trial.id, task and drafts.of(task, seed, known)))
    return _Chosen(predicted, selected)


class _Retrainings:
    """The retrainings of one seed and recipe, by what they train on."""

    def __init__(
        self, drafts: Drafts, words: _Words, spec: Spec, facts: DataFacts, seed: int
    ) -> None:
        self._drafts, self._spec, self._facts, self._seed = drafts, spec, facts, seed
        self._parts = {
            "base": words.base(spec, facts), "model": words.of(spec.model),
            "retrain": words.of(spec.retrain),
        }  # fmt: skip
        self._known: dict[tuple[str, float, Draft | None], Draft] = {}
        check_recipe("retrain", spec.retrain, spec.data.name, facts)
        self.timed = spec.retrain.budget == "seconds"
        missing = 0 if facts.n_labelled is None else facts.n_train - facts.n_labelled
        if self.timed and missing:
            what = f"retrain.budget: seconds trains on everything, and {missing:,} samples have no"
            raise UserError(f"{what} label", "use retrain.budget: steps or epochs")

    def _full(self) -> tuple[str, Draft]:
        trial = Trial(self._seed, "full", None, 0.0, self._facts.n_train)
        return f"retrain-{trial.id}", self.of(trial, trial.id, None)

    def of(self, trial: Trial, name: str, selection: Draft | None) -> Draft:
        """The retraining of a trial on what a selection keeps."""
        key = (trial.method, trial.rate, selection)
        found = self._known.get(key)
        if found is None:
            known = {} if selection is None else {f"prune-{name}": selection}
            known |= dict([self._full()]) if self.timed and trial.method != "full" else {}
            drawn = trial.method if trial.method in SAMPLERS else None
            parts = {**self._parts, "rate": trial.rate, "sampler": drawn}
            passes = retrain_passes(self._spec, self._facts, trial.n_keep)
            task = Described(
                f"retrain-{name}", tuple(known), parts, {"trial": trial, "passes": passes}
            )
            found = self._known[key] = self._drafts.of(task, self._seed, known)
        return found


def _not_full(selected: tuple[Trial, str, Draft | None]) -> bool:
    return selected[0].method != "full"


def _finished(draft: Draft, cells: Sequence[tuple[Spec, DataFacts]]) -> Task:
    """The task; a scoring task with the passes of all its cells' scores."""
    scores = tuple(draft.scores.values())
    fields = {**draft.fields, "cells": tuple(draft.cells), "scores": scores}
    task = Task(draft.id, identity=draft.identity, **fields)
    if not scores or len(draft.cells) == 1:
        return task
    spec, facts = cells[task.cells[0]]
    size = subset_size(spec, facts)
    if task.stage == "direct":
        return replace(task, **_direct_passes(spec, facts, size, scores))
    count = facts.n_train if task.stage == "reference" else size
    return replace(task, **_scoring_passes(spec, facts, count, scores))


def wanted_scores(spec: Spec) -> tuple[Mapping[str, Any], ...]:
    """Resolved sections of the scores to record, the one that is pruned by first."""
    main = {k: v for k, v in spec.score.model_dump(mode="json").items() if k != "also"}
    if main["until"] == "end":  # said only where it is not so, and then part of the score's key
        del main["until"]
    of_the_run = {key: main[key] for key in ("nets", "cross_fit", "until") if key in main}
    return (main, *({**a.model_dump(mode="json"), **of_the_run} for a in spec.score.also))


class _Words:
    """Digests of sections and scores, each made once: the cells of a sweep share most of them."""

    def __init__(self) -> None:
        self._digests: dict[int, tuple[Any, str]] = {}  # the object too, so that its id stays its
        self._bases: dict[tuple[object, ...], str] = {}
        self._scores: dict[int, tuple[Any, tuple[Mapping[str, Any], ...]]] = {}
        self._recorded: dict[int, tuple[Mapping[str, Any], ...]] = {}

    def of(self, part: Any) -> str:
        """Digest of a section, or of a mapping that is not changed any more."""
        known = self._digests.get(id(part))
        if known is None:
            plain = part
            if isinstance(part, BaseModel):
                plain = part.model_dump(mode="json", by_alias=True)
            known = self._digests[id(part)] = (part, digest(plain))
        return known[1]

    def base(self, spec: Spec, facts: DataFacts) -> str:
        """Digest of what every task depends on."""
        data, paradigm, compute = self.of(spec.data), self.of(spec.paradigm), spec.compute
        about = (data, facts.fingerprint, paradigm, compute.precision, compute.deterministic)
        if about not in self._bases:
            self._bases[about] = digest(about)
        return self._bases[about]

    def scores(self, spec: Spec) -> tuple[Mapping[str, Any], ...]:
        """See :func:`wanted_scores`."""
        known = self._scores.get(id(spec.score))
        if known is None:
            known = self._scores[id(spec.score)] = (spec.score, wanted_scores(spec))
        return known[1]

    def kept(self, spec: Spec) -> tuple[Mapping[str, Any], ...]:
        """What a scoring net records of a spec's scores: see :func:`recorded`."""
        scores = self.scores(spec)
        if id(scores) not in self._recorded:
            trained = score_kind(spec.score.name) == "trained"
            self._recorded[id(scores)] = recorded(scores) if trained else ()
        return self._recorded[id(scores)]

    def net(self, spec: Spec, facts: DataFacts) -> dict[str, str]:
        """What describes a scoring net."""
        base = self.base(spec, facts)
        return {"base": base, "model": self.of(spec.model), "train": self.of(spec.train)}


def _scoring_tasks(spec: Spec, facts: DataFacts, seed: int, words: _Words) -> Iterator[Described]:
    """The subset, what is trained on it, and the embedding."""
    _check_labels(spec, facts)
    check_recipe("train", spec.train, spec.data.name, facts)
    check_subset(spec.subset.how, spec.data.name, facts)
    subset_size(spec, facts)
    names, kind, base = _Names(spec, seed), score_kind(spec.score.name), words.base(spec, facts)
    if kind != "given" or "subset_only" in spec.baselines:
        parts = {"subset": words.of(spec.subset), "base": base}
        yield Described(names.subset, (), parts, {})
    if kind != "given":
        yield from _trained(spec, names, facts, words)


def _prediction_tasks(
    spec: Spec, facts: DataFacts, names: _Names, words: _Words
) -> Iterator[Described]:
    """What gives every sample a score, and the scores of all data where they are asked for."""
    base, told = words.base(spec, facts), [words.of(score) for score in words.scores(spec)]
    if (k := graph_neighbors(spec)) is not None:
        yield Described(names.neighbors, (names.embed,), {"k": k}, {})
    if names.kind == "trained":
        yield from _cross_fitted(spec, names, facts, words)
        parts = {"extrapolate": words.of(spec.extrapolate), "scores": told}
        yield Described(names.extrapolate, names.extrapolation, parts, {})
    else:
        needs = (names.embed,) if names.kind == "embedded" else ()
        yield Described(names.measure, needs, {"scores": told, "base": base}, {})
    if spec.reference == "full":
        kept = words.kept(spec)
        more = {"scores": kept, **_scoring_passes(spec, facts, facts.n_train, kept)}
        yield Described(names.reference, (), words.net(spec, facts), more)


def _cross_fitted(
    spec: Spec, names: _Names, facts: DataFacts, words: _Words
) -> Iterator[Described]:
    """One net for each fold of the subset, trained without it, watched on all it does not see."""
    folds = len(names.folds)
    if not folds:
        return
    size, net = subset_size(spec, facts), words.net(spec, facts)
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
        passes = _scoring_passes(spec, facts, count, ())["passes"] + extra
        more = {"net": index, "passes": passes, "extra_passes": extra}
        yield Described(name, (names.subset,), {**net, "folds": folds, "fold": index}, more)


def _selection_task(
    spec: Spec, facts: DataFacts, names: _Names, trial: Trial, words: _Words
) -> Described | None:
    """The task that chooses what a trial keeps; None where nothing is chosen."""
    if trial.method in ("full", *SAMPLERS):
        return None
    scores = words.scores(spec)
    needs = names.selection(trial, subset_size(spec, facts))
    reads_scores = {names.nets[0], names.reference, names.measure, names.direct[0]} & {*needs}
    wanted = _read_by_policy(spec, scores) if reads_scores else None
    parts = {
        "trial": [trial.method, trial.policy, trial.rate],
        "params": spec.prune.params if trial.policy == spec.prune.policy else {},
        "score": None if wanted is None else [words.of(score) for score in wanted],
        "base": words.base(spec, facts),
    }
    return Described(f"prune-{trial.id}", needs, parts, {"trial": trial})


def _trained(spec: Spec, names: _Names, facts: DataFacts, words: _Words) -> list[Described]:
    """What is trained on the subset, and the embedding."""
    size, total = subset_size(spec, facts), facts.n_train
    net, kept = words.net(spec, facts), words.kept(spec)
    passes = _scoring_passes(spec, facts, size, kept)
    nets = [
        Described(
            name, (names.subset,), {**net, "net": i} if i else net,
            {"scores": kept, "net": i, **passes},
        )
        for i, name in enumerate(names.nets)
    ]  # fmt: skip
    found = _embedded(spec, names, nets, {"base": words.base(spec, facts)}, total)
    if "direct" in spec.baselines:
        more = {"scores": kept, **_direct_passes(spec, facts, size, kept)}
        found += [
            Described(name, (names.subset,), {**net, "net": i} if i else net, {**more, "net": i})
            for i, name in enumerate(names.direct)
        ]
    return found


def _embedded(
    spec: Spec, names: _Names, nets: list[Described], base: dict[str, Any], total: int
) -> list[Described]:
    """The scoring nets and the embedding. One that needs no scoring net comes first, so that what
    does not fit is said at once, and no net is trained that nobody asks for."""
    if spec.embed.own_net:
        needs = (names.subset, names.nets[0])
        return [*nets, Described(names.embed, needs, {}, {"passes": total})]
    count = total if spec.embed.model is not None else 0
    parts = {"embed": spec.embed.model_dump(mode="json", by_alias=True), **base}
    found = Described(names.embed, (), parts, {"passes": count})
    return [found, *(nets if names.kind == "trained" else ())]


class _Names:
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


def recorded(scores: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """What one net records: the same, however many nets are averaged."""
    return tuple({k: v for k, v in s.items() if k not in ("nets", "cross_fit")} for s in scores)


def _read_by_policy(spec: Spec, scores: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    further = companions(spec.prune.policy, spec.prune.params)
    return [scores[0], *(s for s in scores[1:] if s["name"] in further)]


def graph_neighbors(spec: Spec) -> int | None:
    """Neighbours of every sample among all samples that extrapolator or policy read; None: none."""
    wanted = [k for k in (extrapolator_neighbors(spec), policy_neighbors(spec)) if k is not None]
    return max(wanted, default=None)


def extrapolator_neighbors(spec: Spec) -> int | None:
    """Neighbours that the spec's extrapolator reads; None: none."""
    if spec.extrapolate.name == MEASURED:
        return None
    return neighbors_read(spec.extrapolate.name, spec.extrapolate.params)


def extrapolator_dynamics(spec: Spec) -> bool:
    """Whether the spec's extrapolator reads cross-fitted nets."""
    method = spec.extrapolate.name
    return method != MEASURED and reads_dynamics(method, spec.extrapolate.params)


def neighbors_read(method: str, options: Mapping[str, Any]) -> int | None:
    """Neighbours that an extrapolator reads; None: none. It says so with a literal
    ``NEEDS = ("neighbors",)`` and, where k may be left open, ``NEIGHBORS``, the most it looks at
    then."""
    wanted = []
    for name in (method, *options.get("methods", ())):  # auto combines several
        constants = registry.describe("extrapolator", name).constants
        if "neighbors" in constants.get("NEEDS", ()):
            k = options.get("k", "auto")
            wanted.append(int(constants["NEIGHBORS"] if k == "auto" else k))
    return max(wanted, default=None)


def _scoring_passes(
    spec: Spec, facts: DataFacts, count: int, scores: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    length, batch = epoch_samples(spec.train, count, facts), spec.train.batch
    shown = sample_passes(spec.train.epochs.steps(length, batch), length, batch)
    train = shown * step_passes(spec)
    epochs = spec.train.epochs.epochs(length, batch)
    extra = 0
    for mode, everything in (("extra_forward", shown), ("eval_pass", epochs * count)):
        sections = [s for s in scores if s.get("record") == mode]
        if any("span" not in s for s in sections):  # an epoch that is cut short counts as well
            extra += everything
        else:
            extra += count * len({e for s in sections for e in epochs_read(s, epochs)})
    if any("until" in s for s in scores):  # validation chooses, so it is a part of the method
        judged = epochs * spec.data.validation
        train += judged * attack_passes(spec)
        extra += judged
    return {"passes": train + extra, "extra_passes": extra}


def _direct_passes(
    spec: Spec, facts: DataFacts, size: int, scores: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A scoring run, and the other samples after each epoch that some score reads."""
    length = epoch_samples(spec.train, size, facts)
    epochs = spec.train.epochs.epochs(length, spec.train.batch)
    read: set[int] = set()
    for section in scores:
        read |= set(epochs_read(section, epochs) if "span" in section else range(epochs))
    own = _scoring_passes(spec, facts, size, scores)
    extra = (facts.n_train - size) * len(read)
    return {"passes": own["passes"] + extra, "extra_passes": own["extra_passes"] + extra}


def retrain_steps(spec: Spec, facts: DataFacts, kept: int) -> int:
    """Optimiser steps of a retraining on ``kept`` samples; ``budget: steps`` takes full's.

    With ``budget: seconds`` it is about as many as in full too: steps of a batch cost alike."""
    recipe = spec.retrain
    count = kept if recipe.budget == "epochs" else facts.n_train
    return recipe.epochs.steps(epoch_samples(recipe, count, facts), recipe.batch)


def retrain_passes(spec: Spec, facts: DataFacts, kept: int) -> int:
    """Sample passes of a retraining on ``kept`` samples."""
    steps, length = retrain_steps(spec, facts, kept), epoch_samples(spec.retrain, kept, facts)
    return sample_passes(steps, length, spec.retrain.batch) * step_passes(spec)
