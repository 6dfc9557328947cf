"""Sample passes of trainings: one is one sample shown to a net once, with backward or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.facts import DataFacts
from core.mixing import epoch_samples
from core.needs import attack_passes, step_passes
from core.span import chosen_by_validation, epochs_read, reads_matched
from core.spec import Spec
from core.units import sample_passes


def scoring_passes(
    spec: Spec, facts: DataFacts, count: int, scores: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Fields of a task: ``passes`` of a scoring run on ``count`` samples, and how many of them are
    ``extra_passes``, made only to record a score or to choose where it ends."""
    length, batch = epoch_samples(spec.train, count, facts), spec.train.batch
    shown = sample_passes(spec.train.epochs.steps(length, batch), length, batch)
    train = shown * step_passes(spec)
    epochs = spec.train.epochs.epochs(length, batch)
    extra = 0
    for mode, everything in (("extra_forward", shown), ("eval_pass", epochs * count)):
        sections = [s for s in scores if s.get("record") == mode]
        if any(_reads_all(s) for s in sections):  # an epoch that is cut short counts as well
            extra += everything
        else:
            share = (count, facts.n_train)
            extra += count * len({e for s in sections for e in epochs_read(s, epochs, share)})
    if chosen_by_validation(scores):  # so validation is a part of the method
        judged = epochs * spec.data.validation
        train += judged * attack_passes(spec)
        extra += judged
    return {"passes": train + extra, "extra_passes": extra}


def _reads_all(section: Mapping[str, Any]) -> bool:
    return "span" not in section and not reads_matched(section)


def direct_passes(
    spec: Spec, facts: DataFacts, size: int, scores: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A scoring run, and the other samples after each epoch that some score reads."""
    length = epoch_samples(spec.train, size, facts)
    epochs = spec.train.epochs.epochs(length, spec.train.batch)
    read: set[int] = set()
    for section in scores:
        share = (size, facts.n_train)
        read |= set(range(epochs) if _reads_all(section) else epochs_read(section, epochs, share))
    own = scoring_passes(spec, facts, size, scores)
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
