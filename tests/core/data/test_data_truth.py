"""What was kept of each kind of sample, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.data.truth import TRUTH, difficulty, kept_truth


def test_difficulty_by_hand() -> None:
    found = difficulty(0.2, [0.0, 0.0, 0.25, 0.5], [0.0, 0.2, 0.1, 0.1])
    assert found == pytest.approx([0, 0.5, 0.5, 1])
    assert difficulty(0.0, [0.0], [0.0]) == pytest.approx([1])  # nothing to see


def test_kept_kinds_by_hand() -> None:
    truth = np.zeros(8, dtype=TRUTH)
    truth["mislabelled"][[0, 1, 2, 3]] = True
    truth["other"] = [-1, -1, -1, -1, -1, 3, 3, -1]
    truth["group"] = [0, 0, 0, 1, 1, -1, -1, -1]
    truth["difficulty"] = np.arange(8) / 8
    found = kept_truth(truth, np.array([0, 2, 3, 5, 7]))
    assert found == {
        "mislabelled": {"n": 4, "kept": 0.75},
        "ambiguous": {"n": 2, "kept": 0.5},
        "rare": {"n": 0, "kept": None},
        "duplicates": {"groups": 2, "members": 2.5, "kept": 1.5},
        "difficulty": {"all": pytest.approx(3.5 / 8), "kept": pytest.approx(3.4 / 8)},
    }


def test_columns_of_another_kind_are_left_alone() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert kept_truth(None, nothing) is None
    assert kept_truth(np.zeros(3), nothing) is None
    assert kept_truth(np.zeros(3, dtype=[("label", "<i4")]), nothing) is None
