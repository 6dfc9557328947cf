"""Correlations against SciPy and slow references; kept-set figures by hand."""

import numpy as np
import pytest
from scipy import stats as reference

from core import metrics


@pytest.fixture(params=["distinct", "tied", "integers"])
def pair(request):
    rng = np.random.default_rng(3)
    x = rng.standard_normal(80)
    y = x + rng.standard_normal(80)
    if request.param == "tied":
        return np.round(x), np.round(y)
    if request.param == "integers":
        return rng.integers(4, size=80), rng.integers(3, size=80)
    return x, y


def test_correlations_match_scipy(pair):
    assert metrics.spearman(*pair) == pytest.approx(reference.spearmanr(*pair).statistic)
    assert metrics.pearson(*pair) == pytest.approx(reference.pearsonr(*pair).statistic)


def test_midranks_by_hand():
    np.testing.assert_array_equal(metrics.midranks([5, 1, 5, 7, 5]), [3, 1, 3, 5, 3])


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([], []),
        ([1.0], [2.0]),
        ([0.3] * 7, list(range(7))),
        (list(range(7)), [0.1 + 0.2] * 7),
        ([1.0, np.nan, 2.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [1.0, np.inf, 3.0]),
    ],
)
def test_undefined_is_none(x, y):
    assert metrics.spearman(x, y) is None
    assert metrics.pearson(x, y) is None


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e200])
def test_pearson_does_not_mind_the_scale(scale):
    x, y = np.array([1.0, 2, 3, 5]), np.array([1.0, 3, 2, 4])
    assert metrics.pearson(x * scale, y) == pytest.approx(reference.pearsonr(x, y).statistic)


def test_vectors_of_unlike_length_are_refused():
    with pytest.raises(ValueError, match="one length"):
        metrics.spearman([1, 2], [1, 2, 3])


@pytest.mark.parametrize("kind", ["spearman", "pearson"])
def test_bootstrap_matches_the_naive_one(pair, kind):
    """The same draws, each ranked and correlated from scratch."""
    x, y = np.asarray(pair[0]), np.asarray(pair[1])
    rng = np.random.default_rng(8)
    naive = []
    for _ in range(60):
        drawn = rng.integers(len(x), size=len(x))
        function = reference.spearmanr if kind == "spearman" else reference.pearsonr
        naive.append(function(x[drawn], y[drawn]).statistic)
    low, high = np.quantile(naive, [0.05, 0.95])
    found = metrics.bootstrap_interval(x, y, kind, np.random.default_rng(8), draws=60, level=0.9)
    assert found == pytest.approx((low, high))


def test_bootstrap_brackets_the_value_and_is_repeatable():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(200)
    y = x + rng.standard_normal(200)
    first = metrics.bootstrap_interval(x, y, "spearman", np.random.default_rng(1))
    assert first.low < metrics.spearman(x, y) < first.high
    assert first == metrics.bootstrap_interval(x, y, "spearman", np.random.default_rng(1))
    assert first != metrics.bootstrap_interval(x, y, "spearman", np.random.default_rng(2))


def test_no_interval_below_fifty_or_where_undefined():
    rng = np.random.default_rng(0)
    x = np.arange(50.0)
    assert metrics.bootstrap_interval(x[:49], x[:49] ** 2, "spearman", rng) is None
    assert metrics.bootstrap_interval(x, x**2, "spearman", rng) is not None
    assert metrics.bootstrap_interval(x, np.ones(50), "spearman", rng) is None


def test_kept_recall_by_hand():
    scores = np.array([0.9, 0.1, 0.8, 0.7, 0.7, 0.2])
    assert metrics.kept_recall(np.array([0, 2, 4]), scores) == pytest.approx(
        2 / 3
    )  # 3 wins the tie
    assert metrics.kept_recall(np.array([0, 2, 3]), scores) == 1.0
    assert metrics.kept_recall(np.array([1, 5]), scores) == 0.0
    assert metrics.kept_recall(np.array([], dtype=np.int64), scores) is None


def test_subset_share_by_hand():
    kept, subset = np.array([1, 4, 6, 9]), np.array([9, 0, 4, 3])
    assert metrics.subset_share(kept, subset) == 0.5
    assert metrics.subset_share(kept[:0], subset) is None
