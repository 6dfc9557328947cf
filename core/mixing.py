"""Real and generated samples in one training: how long an epoch is, and what cannot be mixed.

Published adversarial training with a generated pool (2302.04638; pruned: 2406.13283) draws a
share of every batch from the pool and ends an epoch after as many samples as the real set has,
whatever the pool: pruning then saves storage, not time. ``epoch: pool`` goes over what is trained
on instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from core.errors import UserError
from core.facts import DataFacts
from core.needs import SAMPLERS
from core.recipe import TrainSpec
from core.spec import Spec


def mixes(recipe: TrainSpec) -> bool:
    """Whether an epoch is other than all samples once."""
    return recipe.generated_fraction is not None or recipe.epoch == "real"


def epoch_samples(recipe: TrainSpec, count: int, facts: DataFacts) -> int:
    """Samples that an epoch over ``count`` ids shows."""
    if recipe.epoch == "real" and facts.n_real is not None:
        return facts.n_real
    return count


def retraining_budget(spec: Spec) -> Literal["epochs", "steps", "seconds", "real"]:
    """What bounds a retraining: ``retrain.budget``, or "real" where its epochs are as long as the
    real set whatever was kept."""
    recipe = spec.retrain
    return "real" if recipe.budget == "epochs" and recipe.epoch == "real" else recipe.budget


def contradictions(spec: Spec) -> Iterator[str]:
    """What does not go with an epoch that does not show every sample once."""
    if mixes(spec.train):
        for section in (spec.score, *spec.score.also):
            if section.record in ("train_forward", "extra_forward"):
                yield (
                    f"score.record: {section.name} is recorded as {section.record}, but with "
                    "train.generated_fraction or train.epoch: real an epoch does not show every "
                    "sample once; use eval_pass, or set them below retrain only"
                )
    if mixes(spec.retrain):
        for name in set(spec.baselines) & set(SAMPLERS):
            yield (
                f"baselines: {name} draws every epoch itself; leave out it or "
                "retrain.generated_fraction and retrain.epoch: real"
            )


def check_recipe(name: str, recipe: TrainSpec, data: str, facts: DataFacts) -> None:
    """UserError where the recipe ``name`` mixes samples by origin and the data do not have both."""
    if not mixes(recipe) or (facts.n_real and facts.n_real < facts.n_train):
        return
    key = f"{name}.epoch: real" if recipe.epoch == "real" else f"{name}.generated_fraction"
    kind = "real" if facts.n_real == 0 else "generated"
    what = f"{key}: {data} has no {kind} training samples"
    raise UserError(what, "use synthetic_cifar with data.join: true, or leave it out")


def check_subset(how: str, data: str, facts: DataFacts) -> None:
    """UserError where the subset takes the real samples and the data do not say which are."""
    if how == "real" and not facts.n_real:
        what = f"subset.how: real: {data} does not say which samples are real"
        raise UserError(what, "use synthetic_cifar with data.join: true, or how: random")
