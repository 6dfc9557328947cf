"""Label propagation and propagated features against dense linear algebra."""

from dataclasses import replace

import numpy as np
import pytest

from core import registry
from core.errors import UserError
from core.extrapolators import label_propagation, propagate, ridge
from core.extrapolators.base import Features, others
from core.graph import normalised, symmetric, transition
from core.testing.extrapolators import problem

RNG = np.random.default_rng


@pytest.mark.parametrize("discount", [1.0, 0.1])
def test_label_propagation_solves_the_harmonic_equations(discount):
    case = problem(size=90, scored=40)
    params = label_propagation.Params(k=6, other_class=discount, steps=4000)
    out = label_propagation.make(params).fit_predict(case.x, case.ids, case.scores, params, RNG(0))
    weights = symmetric(case.x.neighbors, 6).toarray().astype(np.float64)
    weights[case.x.labels[:, None] != case.x.labels[None]] *= discount
    walk = weights / weights.sum(axis=1, keepdims=True)
    todo = others(case.x, case.ids)
    ends = np.linalg.solve(
        np.eye(len(todo)) - walk[np.ix_(todo, todo)], walk[np.ix_(todo, case.ids)]
    )  # where the walk from each unscored sample ends
    assert ends.sum(axis=1) == pytest.approx(np.ones(len(todo)))
    mean = ends @ case.scores
    np.testing.assert_allclose(out.values[todo], mean, atol=1e-3)
    spread = np.sqrt(ends @ case.scores.astype(np.float64) ** 2 - mean**2)
    np.testing.assert_allclose(out.std[todo], spread, atol=5e-3)


def test_a_scored_target_does_not_see_its_own_score():
    case = problem(size=90, scored=40)
    params = label_propagation.Params(k=6, other_class=1.0)
    method, first = label_propagation.make(params), case.ids[:1]
    changed = case.scores.copy()
    changed[0] = 99
    one, two = (
        method.fit_predict(case.x, case.ids, s, params, RNG(0), first)
        for s in (case.scores, changed)
    )
    # its neighbours' walks may end in it, its own first step may not
    assert abs(two.values[first, 0].item() - one.values[first, 0].item()) < 60


def test_where_nothing_is_reached_the_mean_is_predicted():
    """Two groups that no edge joins, scores in one of them only."""
    rng = RNG(0)
    points = np.concatenate([rng.normal(0, 0.1, (15, 3)) + 1, rng.normal(0, 0.1, (15, 3)) - 1])
    case = problem(size=30, scored=10)
    from core.neighbors import among_all

    x = Features(points.astype(np.float32), neighbors=among_all(points.astype(np.float32), 4))
    params = label_propagation.Params(k=4, other_class=1.0)
    out = label_propagation.make(params).fit_predict(x, np.arange(10), case.scores, params, RNG(0))
    np.testing.assert_allclose(out.values[15:], np.tile(case.scores.mean(axis=0), (15, 1)), 1e-5)
    np.testing.assert_allclose(out.std[15:], np.tile(case.scores.std(axis=0), (15, 1)), 1e-3)


@pytest.mark.parametrize("hops", [1, 2])
def test_smoothed_features_are_powers_of_the_normalised_graph(hops):
    case = problem(size=50, scored=20)
    made = propagate.smoothed(case.x, propagate.Params(k=5, hops=hops, penalty=0.1))
    unit = case.x.embeddings / np.linalg.norm(case.x.embeddings, axis=1, keepdims=True)
    step = np.linalg.matrix_power(normalised(symmetric(case.x.neighbors, 5)).toarray(), hops)
    hot = np.eye(5)[case.x.labels]
    np.testing.assert_allclose(made, np.hstack([unit, step @ unit, step @ hot]), atol=1e-5)
    without = propagate.smoothed(case.x, propagate.Params(k=5, hops=hops, use_labels=False))
    np.testing.assert_array_equal(without, made[:, :12])


def test_propagate_is_ridge_on_smoothed_features():
    case = problem(size=80, scored=30)
    params = propagate.Params(k=5, hops=2, penalty=0.1)
    out = propagate.make(params).fit_predict(case.x, case.ids, case.scores, params, RNG(0))
    smooth = replace(case.x, embeddings=propagate.smoothed(case.x, params))
    plain = ridge.Params(penalty=0.1)
    alone = ridge.make(plain).fit_predict(smooth, case.ids, case.scores, plain, RNG(0))
    np.testing.assert_allclose(out.values, alone.values, atol=1e-6)


def test_walks_are_probabilities_whatever_the_labels():
    case = problem(size=60, scored=20)
    np.testing.assert_allclose(transition(symmetric(case.x.neighbors, 5)).sum(axis=1), 1, 1e-5)


@pytest.mark.parametrize("name", ["label_propagation", "propagate"])
def test_impossible_options_are_refused(name):
    module = registry.load("extrapolator", name)
    with pytest.raises(UserError, match=r"extrapolate\.k is 0"):
        module.make(module.Params(k=0))
    assert "neighbors" in module.make(module.Params()).needs
    assert registry.describe("extrapolator", name).constants["NEEDS"] == ("neighbors",)
