"""Predictions brought to the distribution of measured scores."""

import numpy as np
import pytest

from core.extrapolators.mapping import match_distribution
from core.metrics import subset_share
from core.selection.base import highest


def test_equal_counts_give_the_reference_itself():
    out = match_distribution(np.array([0.2, 0.1, 0.3]), np.array([7.0, 1.0, 4.0]))
    np.testing.assert_allclose(out, [4, 1, 7])
    assert out.dtype == np.float32


def test_between_the_sorted_values_it_interpolates():
    # midranks 1..4 of 4 -> levels 1/8, 3/8, 5/8, 7/8; the reference stands at 1/4 and 3/4
    out = match_distribution(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 10.0]))
    np.testing.assert_allclose(out, [0, 2.5, 7.5, 10])


def test_ties_stay_ties_and_nan_stays_nan():
    out = match_distribution(np.array([2.0, np.nan, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert np.isnan(out[1])
    assert out[0] == out[3] == pytest.approx(2.5)  # midrank 2.5 of 3 -> level 2/3
    assert out[2] == 1


def test_order_and_distribution():
    rng = np.random.default_rng(0)
    predictions = 0.1 * rng.standard_normal(4000)
    reference = rng.exponential(size=1000)
    out = match_distribution(predictions, reference)
    assert (np.diff(out[np.argsort(predictions)]) >= 0).all()
    for q in (0.05, 0.5, 0.95):
        assert np.quantile(out, q) == pytest.approx(np.quantile(reference, q), rel=0.02)


def test_the_subset_no_longer_fills_the_kept_set():
    """A fifth is measured, predictions correlate at 0.35 and spread as little: keep 5%."""
    rng = np.random.default_rng(1)
    truth = rng.standard_normal(20_000)
    predicted = 0.35 * (0.35 * truth + np.sqrt(1 - 0.35**2) * rng.standard_normal(20_000))
    subset = np.arange(4000)
    raw, mapped = predicted.copy(), predicted.copy()
    raw[subset] = mapped[subset] = truth[subset]
    mapped[4000:] = match_distribution(predicted[4000:], truth[subset])
    assert subset_share(highest(raw, 1000), subset) > 0.8
    assert subset_share(highest(mapped, 1000), subset) == pytest.approx(0.2, abs=0.03)


def test_nothing_to_match():
    with pytest.raises(ValueError, match="no measured scores"):
        match_distribution(np.array([1.0]), np.array([]))
    assert np.isnan(match_distribution(np.array([np.nan]), np.array([1.0]))).all()
