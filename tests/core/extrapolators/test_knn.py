"""kNN extrapolation against a loop over samples, and what the paper's weights break on."""

import math

import numpy as np
import pytest

from core.errors import UserError
from core.extrapolators import knn
from core.extrapolators.base import Features, others
from core.neighbors import Neighbors
from core.testing.extrapolators import problem


def slow(x, ids, scores, params, target):
    """One sample at a time, in float64."""
    rows = x.embeddings.astype(np.float64)
    if params.metric == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    near = sorted(
        (float(np.linalg.norm(rows[target] - rows[i])), p) for p, i in enumerate(ids) if i != target
    )[: params.k]
    weights = [1.0] * len(near)
    if params.weights == "distance":
        bandwidth = sum(d for d, _ in near) / len(near)
        weights = [math.exp(-d / bandwidth) for d, _ in near]
    total = sum(weights)
    mean = sum(w * scores[p] for w, (_, p) in zip(weights, near, strict=True)) / total
    spread = sum(w * (scores[p] - mean) ** 2 for w, (_, p) in zip(weights, near, strict=True))
    return mean, np.sqrt(spread / total)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("weights", ["mean", "distance"])
@pytest.mark.parametrize("k", [1, 7])
def test_matches_the_slow_reference(metric, weights, k):
    case = problem(size=80, scored=30)
    params = knn.Params(k=k, weights=weights, metric=metric)
    out = knn.make(params).fit_predict(
        case.x, case.ids, case.scores, params, np.random.default_rng(0)
    )
    for target in others(case.x, case.ids):
        mean, std = slow(case.x, case.ids, case.scores.astype(np.float64), params, target)
        np.testing.assert_allclose(out.values[target], mean, atol=2e-3)
        np.testing.assert_allclose(out.std[target], std, atol=2e-3)
    assert np.isnan(out.values[case.ids]).all()


def test_a_scored_target_is_predicted_without_itself():
    case = problem(size=80, scored=30)
    params = knn.Params(k=1, weights="mean")
    out = knn.make(params).fit_predict(
        case.x, case.ids, case.scores, params, np.random.default_rng(0), case.ids
    )
    for target in case.ids:
        mean, _ = slow(case.x, case.ids, case.scores, params, target)
        np.testing.assert_allclose(out.values[target], mean, atol=1e-6)
    assert not np.allclose(out.values[case.ids], case.scores)


def test_combine_by_hand():
    near = Neighbors(np.array([[1.0, 3.0]], np.float32), np.array([[2, 0]]))
    scores = np.array([[4.0], [9.0], [0.0]], np.float32)
    mean, std = knn.combine(near, scores, knn.Params(k=2, weights="mean"))
    assert (mean.item(), std.item()) == (2.0, 2.0)
    # bandwidth 2: weights exp(-1/2) and exp(-3/2), so the far one has 1 / (1 + e)
    share = 1 / (1 + math.e)
    mean, std = knn.combine(near, scores, knn.Params(k=2, weights="distance"))
    assert mean.item() == pytest.approx(4 * share)
    assert std.item() == pytest.approx(4 * math.sqrt(share * (1 - share)))


def test_neighbours_at_distance_zero_count_alike():
    near = Neighbors(np.zeros((1, 4), np.float32), np.arange(4)[None])
    scores = np.array([[0.0], [1.0], [2.0], [5.0]], np.float32)
    mean, _ = knn.combine(near, scores, knn.Params(k=4, weights="distance"))
    assert mean.item() == 2.0


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_large_norms_give_numbers_where_plain_weights_give_none(metric):
    rng = np.random.default_rng(0)
    x = Features((100 * rng.standard_normal((60, 200))).astype(np.float32), threads=1)
    ids, scores = np.arange(20), rng.random((20, 1)).astype(np.float32)
    params = knn.Params(k=5, weights="distance", metric=metric)
    out = knn.make(params).fit_predict(x, ids, scores, params, rng)
    assert np.isfinite(out.values[20:]).all()
    apart = np.linalg.norm(x.embeddings[20:, None] - x.embeddings[None, :20], axis=2)
    assert (np.exp(-apart).sum(axis=1) == 0).all()  # the published weights are all 0 here


@pytest.mark.parametrize(
    ("m", "ks"),
    [
        (2, [1]),
        (12, [4]),
        (13, [5]),
        (25, [5, 10]),
        (249, [5, 10, 20, 50]),
        (250, [5, 10, 20, 50, 100]),
        (10_000, [5, 10, 20, 50, 100]),
    ],
)
def test_candidates_grow_with_the_subset(m, ks):
    found = knn.make(knn.Params()).candidates(m)
    assert [(p.k, p.weights) for p in found] == [(k, w) for k in ks for w in ("mean", "distance")]


def test_what_the_user_fixed_stays_fixed():
    fixed = knn.Params(k=30, metric="euclidean")
    assert knn.make(fixed).candidates(100) == [
        knn.Params(30, "mean", "euclidean"),
        knn.Params(30, "distance", "euclidean"),
    ]
    assert [p.k for p in knn.make(knn.Params(weights="mean")).candidates(30)] == [5, 10]


def test_impossible_k_is_refused():
    with pytest.raises(UserError, match=r"extrapolate\.k is 0"):
        knn.make(knn.Params(k=0))
    case = problem(size=80, scored=30)
    params = knn.Params(k=31, weights="mean")
    with pytest.raises(UserError, match="from 1 to 30"):
        knn.make(params).fit_predict(
            case.x, case.ids, case.scores, params, np.random.default_rng(0)
        )
