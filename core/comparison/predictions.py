"""What predictions on the test set say beyond accuracy: agreement of models, effects by class."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Predicted = NDArray[np.int32]
BySeed = Mapping[int, Predicted]
Floats = NDArray[np.float64]


def agreement(one: BySeed, other: BySeed) -> dict[int, float]:
    """By seed, the share of test samples (``[n_test]``) for which both predict the same class; of
    seeds that both have."""
    return {
        seed: float(np.mean(one[seed] == other[seed])) for seed in sorted(one.keys() & other.keys())
    }


def between_seeds(models: BySeed) -> list[float]:
    """Agreement of every two models of one kind: what training anew alone changes."""
    return [float(np.mean(models[a] == models[b])) for a, b in combinations(sorted(models), 2)]


def class_accuracies(predicted: Predicted, targets: NDArray[np.int64], classes: int) -> Floats:
    """Accuracy by class ``[C]`` of predictions ``[n_test]``; NaN for a class without samples."""
    total = np.bincount(targets, minlength=classes)
    right = np.bincount(targets[predicted == targets], minlength=classes)
    return np.where(total > 0, right / np.maximum(total, 1), np.nan)


def class_effects(
    one: BySeed, other: BySeed, targets: NDArray[np.int64], classes: int
) -> Floats | None:
    """Mean over shared seeds of the difference in accuracy by class ``[C]``, ``one - other``; None
    without a shared seed."""
    seeds = sorted(one.keys() & other.keys())
    if not seeds:
        return None
    apart = [
        class_accuracies(one[s], targets, classes) - class_accuracies(other[s], targets, classes)
        for s in seeds
    ]
    mean: Floats = np.mean(apart, axis=0)
    return mean
