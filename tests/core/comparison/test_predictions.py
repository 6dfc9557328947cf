"""Agreement and effects by class, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.comparison.predictions import agreement, between_seeds, class_accuracies, class_effects

TARGETS = np.array([0, 0, 1, 1, 1])
FULL = {0: np.array([0, 0, 1, 1, 0]), 1: np.array([0, 1, 1, 1, 1]), 5: np.array([0, 0, 0, 0, 0])}
PRUNED = {0: np.array([0, 1, 1, 0, 0]), 1: np.array([0, 1, 1, 1, 0])}


def test_agreement_is_by_seed() -> None:
    assert agreement(PRUNED, FULL) == {0: pytest.approx(3 / 5), 1: pytest.approx(4 / 5)}
    assert agreement(PRUNED, {7: FULL[0]}) == {}


def test_what_training_anew_changes() -> None:
    # seeds 0 and 1 differ in two of five; 0 and 5 in two; 1 and 5 in four
    assert between_seeds(FULL) == pytest.approx([3 / 5, 3 / 5, 1 / 5])
    assert between_seeds({0: FULL[0]}) == []


def test_accuracy_by_class() -> None:
    found = class_accuracies(FULL[0], TARGETS, 3)
    assert found[:2] == pytest.approx([1.0, 2 / 3])
    assert np.isnan(found[2])


def test_effects_by_class_are_paired_by_seed() -> None:
    # class 0: (1/2 - 1) and (1/2 - 1/2); class 1: (1/3 - 2/3) and (2/3 - 1)
    found = class_effects(PRUNED, FULL, TARGETS, 2)
    assert found == pytest.approx([-0.25, -1 / 3])
    assert class_effects(PRUNED, {}, TARGETS, 2) is None
