"""What the sections of a spec have against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from core import mixing, registry
from core.errors import nearest
from core.needs import MEASURED, companions, policy_needs, reads_dynamics, score_kind
from core.spec import AlsoSpec, ExtrapolateSpec, Spec
from core.spec_names import default_name, named_kind


def contradictions(spec: Spec) -> Iterator[str]:
    """What sections that are right in themselves have against each other."""
    yield from _short_training(spec)
    yield from _unvalidated(spec)
    yield from _mixed_kinds(spec)
    yield from _missing_companions(spec)
    yield from _untrained_embedding(spec)
    yield from _without_losses(spec)
    yield from mixing.contradictions(spec)


def raw_contradictions(raw: Mapping[str, Any]) -> Iterator[str]:
    """What two sections have against each other; they may both be wrong in themselves as well."""
    baselines = raw.get("baselines")
    full = isinstance(baselines, list | tuple) and "full_scores" in baselines
    retrain = raw.get("retrain")
    if isinstance(retrain, dict) and retrain.get("budget") == "seconds" and not _lists_full(raw):
        yield "retrain.budget: seconds is the time that full takes; add full to baselines"
    kinds = {named_kind(raw.get("score"))}
    if kinds & {"embedded", "given"}:
        yield from _against_measured(raw)
    elif isinstance(raw.get("extrapolate"), dict) and raw["extrapolate"].get("name") == MEASURED:
        yield "extrapolate.name: measured is for scores that every sample has; name an extrapolator"
    elif _lacks_folds(raw):
        yield (
            "score.cross_fit: the extrapolator dynamics reads nets that left a fold of the subset "
            "out; set it to 2 or more"
        )
    elif full and raw.get("reference") != "full":
        yield "baselines: full_scores needs the full scores; set reference: full or leave it out"


def _lists_full(raw: Mapping[str, Any]) -> bool:
    """Whether full is a baseline; true also where what is given is wrong in itself."""
    baselines = raw.get("baselines", Spec.model_fields["baselines"].default)
    return not isinstance(baselines, list | tuple) or "full" in baselines


def _lacks_folds(raw: Mapping[str, Any]) -> bool:
    score, extrapolate = raw.get("score"), raw.get("extrapolate")
    if not isinstance(score, Mapping) or not isinstance(extrapolate, Mapping):
        return False
    return score.get("cross_fit", 0) == 0 and reads_dynamics(
        str(extrapolate.get("name", default_name(ExtrapolateSpec))), extrapolate
    )


def _against_measured(raw: Mapping[str, Any]) -> Iterator[str]:
    """What does not go with a score that every sample has."""
    score = raw["score"]
    name, kind = score["name"], named_kind(score)
    for key in ("record", "window"):
        if score.get(key) is not None:
            yield f"score.{key}: {name} watches no training; leave it out"
    for key, default in (("nets", 1), ("cross_fit", 0), ("until", "end")):
        if score.get(key, default) != default:
            yield f"score.{key}: {name} watches no training; leave it {default}"
    baselines = raw.get("baselines")
    for baseline in ("true_random", "full_scores"):
        if isinstance(baselines, list | tuple) and baseline in baselines:
            yield f"baselines: every sample has a {name} score, so {baseline} says nothing"
    if raw.get("reference") == "full":
        yield f"reference: every sample has a {name} score already; set reference: none"
    policy = raw["prune"].get("policy", "top_k") if isinstance(raw.get("prune"), dict) else "top_k"
    if kind == "given" and policy in registry.names("policy"):
        wanted = {"embeddings", "neighbors"} & set(policy_needs(policy))
        if wanted:
            yield (
                f"prune.policy: {policy} reads {wanted.pop()}, but {name} comes without a net; "
                "use another policy or score"
            )


def _mixed_kinds(spec: Spec) -> Iterator[str]:
    """Scores that are extrapolated and scores that are not, in one run."""
    kind = score_kind(spec.score.name)
    for other in spec.score.also:
        if (score_kind(other.name) == "trained") != (kind == "trained"):
            yield (
                f"score.also: {other.name} ({score_kind(other.name)}) does not go with "
                f"{spec.score.name} ({kind}); run them one by one"
            )
        elif kind == "given" and score_kind(other.name) == "embedded":
            yield f"score.also: {other.name} needs a net, {spec.score.name} comes without one"


def _without_losses(spec: Spec) -> Iterator[str]:
    """A baseline that weighs samples, with a paradigm that only gives the loss of a batch."""
    about = registry.describe("paradigm", spec.paradigm.name)
    if "infobatch" in spec.baselines and not about.constants.get("SAMPLE_LOSSES", True):
        yield (
            "baselines: infobatch weighs the loss of each sample, and "
            f"{spec.paradigm.name} has one "
            "of a batch only; leave infobatch out"
        )


def _untrained_embedding(spec: Spec) -> Iterator[str]:
    """A model that embeds without ever having been trained."""
    model = spec.embed.model
    if model is not None and model.weights is None and not registry.is_own("model", model.name):
        yield f"embed.from: {model.name} is untrained; set embed.from.weights to a local file"


def _missing_companions(spec: Spec) -> Iterator[str]:
    """Further scores that the policy reads and nobody records."""
    for name in companions(spec.prune.policy, spec.prune.params):
        if name not in registry.names("score"):
            hint = nearest(name, registry.names("score"))
            yield f"prune: no score is called '{name}'; {hint}"
        elif name not in spec.score.names:
            listed = ", ".join((*spec.score.names[1:], name))
            yield (
                f"prune.policy: {spec.prune.policy} also reads the score '{name}'; add it: "
                f"score.also: [{listed}]"
            )


def _unvalidated(spec: Spec) -> Iterator[str]:
    """Scores that validation is to end, without validation or with a fixed end of their own."""
    if spec.score.until != "best_validation":
        return
    if not spec.data.validation:
        yield (
            "score.until: best_validation needs samples that are not trained on; set "
            "data.validation, for example to 1024"
        )
    for section in (spec.score, *spec.score.also):
        if section.params.get("epoch", 0) < 0:
            yield (
                f"score.until: {section.name} reads epochs counted from the last one; set "
                "score.until: end, or its epoch to 0 or more"
            )


def _short_training(spec: Spec) -> Iterator[str]:
    """Scores that read more epochs than the scoring run has."""
    if spec.train.epochs.unit != "ep":
        return
    length = spec.train.epochs.value
    sections: list[AlsoSpec] = [spec.score, *spec.score.also]
    for place, section in zip(
        ["score"] + ["score.also"] * (len(sections) - 1), sections, strict=True
    ):
        first, span = section.params.get("epoch", 0), section.params.get("span", 0)
        reads = span or length - first if first >= 0 else span or -first
        if first + reads > length or reads > length:
            yield (
                f"{place}: {section.name} reads {reads} epochs from epoch {first} on (counted from "
                f"0), train.epochs is {length}ep; train longer, or set epoch and span lower"
            )
            continue
        window = section.window
        needed = window.least if window else 0
        if reads < needed:
            yield (
                f"{place}.window: {section.name} needs {needed} epochs (length, skip and a dropped "
                f"last window) and reads {reads}, train.epochs is {length}ep; train longer or "
                "shorten the window"
            )
