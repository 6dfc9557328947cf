"""The block of tasks up to the scores of the subset: subset, scoring nets, embedding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.errors import UserError
from core.facts import DataFacts
from core.mixing import check_recipe, check_subset, epoch_samples
from core.needs import score_kind
from core.plan.digests import Digests
from core.plan.names import TaskNames
from core.plan.passes import direct_passes, scoring_passes
from core.plan.trials import subset_size
from core.span import matched, reads_matched
from core.spec import Spec
from core.uniting import Described


def scoring_tasks(spec: Spec, facts: DataFacts, seed: int, digests: Digests) -> Iterator[Described]:
    """The subset, what is trained on it, and the embedding."""
    _check_labels(spec, facts)
    check_recipe("train", spec.train, spec.data.name, facts)
    check_subset(spec.subset.how, spec.data.name, facts)
    _check_stretch(spec, facts)
    names, base = TaskNames(spec, seed), digests.base(spec, facts)
    if names.kind != "given" or "subset_only" in spec.baselines:
        parts = {"subset": digests.of(spec.subset), "base": base}
        yield Described(names.subset, (), parts, {})
    if names.kind != "given":
        yield from _trained(spec, names, facts, digests)


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


def _check_stretch(spec: Spec, facts: DataFacts) -> None:
    """Windows have to fit into the epochs that ``score.until: matched`` reads of the subset's run.
    How many these are, the data decide; a training too short as a whole is refused before."""
    size, recipe = subset_size(spec, facts), spec.train
    epochs = recipe.epochs.epochs(epoch_samples(recipe, size, facts), recipe.batch)
    for section in (spec.score, *spec.score.also):
        if section.window is None or not reads_matched(
            {"until": spec.score.until, **section.params}
        ):
            continue
        read, needed = len(matched(epochs, size, facts.n_train)), section.window.least
        if read < needed:
            raise UserError(
                f"score.until: matched reads {read} of {epochs} epochs, and the windows of "
                f"{section.name} need {needed} (length, skip and a dropped last window)",
                "train longer, shorten score.window or set score.until: end",
            )


def _trained(spec: Spec, names: TaskNames, facts: DataFacts, digests: Digests) -> list[Described]:
    """What is trained on the subset, and the embedding."""
    size, total = subset_size(spec, facts), facts.n_train
    net, kept = digests.net(spec, facts), digests.kept(spec)
    passes = scoring_passes(spec, facts, size, kept)
    nets = [
        Described(
            name, (names.subset,), {**net, "net": i} if i else net,
            {"scores": kept, "net": i, **passes},
        )
        for i, name in enumerate(names.nets)
    ]  # fmt: skip
    found = _embedded(spec, names, nets, {"base": digests.base(spec, facts)}, total)
    if "direct" in spec.baselines:
        more = {"scores": kept, **direct_passes(spec, facts, size, kept)}
        found += [
            Described(name, (names.subset,), {**net, "net": i} if i else net, {**more, "net": i})
            for i, name in enumerate(names.direct)
        ]
    return found


def _embedded(
    spec: Spec, names: TaskNames, nets: list[Described], base: dict[str, Any], total: int
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
