"""Seed statistics against SciPy, and what is said in words."""

import numpy as np
import pytest
from scipy import stats as reference

from core import stats


def test_summary():
    assert stats.summarise([]) == stats.Summary(None, None, 0)
    assert stats.summarise([0.5]) == stats.Summary(0.5, None, 1)
    found = stats.summarise([0.1, 0.2, 0.6])
    assert (found.mean, found.std, found.n) == pytest.approx((0.3, np.sqrt(0.07), 3))


@pytest.mark.parametrize("n", [3, 5, 12])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_paired_interval_is_students(n, level):
    rng = np.random.default_rng(n)
    a, b = rng.random(n), rng.random(n)
    found = stats.paired(dict(enumerate(a)), dict(enumerate(b)), level)
    interval = reference.ttest_rel(a, b).confidence_interval(level)
    assert (found.mean, found.n) == (pytest.approx((a - b).mean()), n)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize(
    ("differences", "half"),
    [
        # t(.975, 2) = 4.302653; standard deviation 2, so 4.302653 * 2 / sqrt(3)
        ([1.0, 3.0, 5.0], 4.302653 * 2 / 3**0.5),
        # t(.975, 9) = 2.262157; squares of +-1 sum to 10, so sqrt(10 / 9) / sqrt(10) = 1 / 3
        ([1.0, -1.0] * 5, 2.262157 / 3),
        # t(.975, 3) = 3.182446; -3, -1, 1, 3: variance 20 / 3
        ([-3.0, -1.0, 1.0, 3.0], 3.182446 * (20 / 3) ** 0.5 / 2),
    ],
)
def test_intervals_by_hand_from_the_table_of_t(differences, half):
    found = stats.paired(dict(enumerate(differences)), dict.fromkeys(range(len(differences)), 0.0))
    mean = sum(differences) / len(differences)
    assert (found.ci_low, found.ci_high) == pytest.approx((mean - half, mean + half), abs=1e-5)


@pytest.mark.parametrize("n", [1, 2])
def test_no_interval_below_three_seeds(n):
    found = stats.paired(dict.fromkeys(range(n), 0.5), {0: 0.1, 1: 0.2})
    assert (found.ci_low, found.ci_high, found.n) == (None, None, n)
    assert stats.words(found).endswith(f"n = {n}, no interval")


def test_pairs_are_matched_by_seed():
    found = stats.paired({7: 0.9, 3: 0.5, 1: 0.4}, {3: 0.4, 7: 0.6, 2: 0.0})
    assert (found.mean, found.n) == (pytest.approx(0.2), 2)
    assert found.ci_low is None and found.ci_high is None
    assert stats.paired({1: 0.5}, {2: 0.5}) is None


def test_equal_differences_give_no_false_certainty():
    values = {0: 0.91, 1: 0.92, 2: 0.95}
    same = stats.paired(values, {seed: value - 0.01 for seed, value in values.items()})
    assert same.mean == pytest.approx(0.01)
    assert stats.distinguishable(same) is None
    assert stats.distinguishable(stats.paired(values, values)) is False


@pytest.mark.parametrize(
    ("difference", "apart", "phrase"),
    [
        (None, None, "not compared with random"),
        (
            stats.Difference(0.01, None, None, 2),
            None,
            "+1.00 points against random, n = 2, no interval",
        ),
        (
            stats.Difference(0.01, None, None, 4),
            None,
            "+1.00 points against random, the same in all 4 seeds, no interval",
        ),
        (
            stats.Difference(0.01, -0.002, 0.022, 3),
            False,
            "not distinguishable from random (+1.00 points, 95% CI -0.20 to +2.20, n = 3)",
        ),
        (
            stats.Difference(0.01, 0.002, 0.018, 3),
            True,
            "above random by 1.00 points (95% CI +0.20 to +1.80, n = 3)",
        ),
        (
            stats.Difference(-0.01, -0.018, -0.002, 3),
            True,
            "below random by 1.00 points (95% CI -1.80 to -0.20, n = 3)",
        ),
    ],
)
def test_words(difference, apart, phrase):
    assert stats.distinguishable(difference) is apart
    assert stats.words(difference) == phrase
