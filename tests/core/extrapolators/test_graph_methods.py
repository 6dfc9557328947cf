"""Label propagation and propagated features against dense linear algebra."""

from dataclasses import replace

import numpy as np
import pytest

from core import registry
from core.errors import UserError
from core.extrapolators import _principal, label_propagation, propagate, ridge
from core.extrapolators.base import Features, others
from core.graph import normalised, symmetric, transition
from core.metrics import spearman
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


def wide_case(size=80, scored=30, width=40, rank=4):
    """Embeddings of rank ``rank`` and a little noise in ``width`` columns."""
    case = problem(size=size, scored=scored, width=rank)
    rng = RNG(3)
    rows = case.x.embeddings @ rng.standard_normal((rank, width)) + rng.standard_normal(width)
    rows += 1e-3 * rng.standard_normal(rows.shape)
    return replace(case, x=replace(case.x, embeddings=rows.astype(np.float32)))


@pytest.mark.parametrize("hops", [1, 2])
def test_smoothed_features_are_powers_of_the_normalised_graph(hops):
    case = problem(size=50, scored=20)
    params = propagate.Params(k=5, hops=hops, penalty=0.1)
    made = propagate.smoothed(propagate.source(case.x, params), hops)
    unit = case.x.embeddings / np.linalg.norm(case.x.embeddings, axis=1, keepdims=True)
    step = np.linalg.matrix_power(normalised(symmetric(case.x.neighbors, 5)).toarray(), hops)
    hot = np.eye(5)[case.x.labels]
    np.testing.assert_allclose(made, np.hstack([unit, step @ unit, step @ hot]), atol=1e-5)
    without = propagate.source(case.x, replace(params, use_labels=False))
    np.testing.assert_array_equal(propagate.smoothed(without, hops), made[:, :12])


def test_propagate_is_ridge_on_smoothed_features():
    case = problem(size=80, scored=30)
    params = propagate.Params(k=5, hops=2, penalty=0.1)
    out = propagate.make(params).fit_predict(case.x, case.ids, case.scores, params, RNG(0))
    smooth = replace(case.x, embeddings=propagate.smoothed(propagate.source(case.x, params), 2))
    plain = ridge.Params(penalty=0.1)
    alone = ridge.make(plain).fit_predict(smooth, case.ids, case.scores, plain, RNG(0))
    np.testing.assert_allclose(out.values, alone.values, atol=1e-6)


@pytest.mark.parametrize("hops", [1, 2])
def test_smoothed_components_are_components_of_what_was_smoothed(hops):
    """Up to centring: all rows of the graph's matrix do not sum to one."""
    case = wide_case()
    params = propagate.Params(k=5, components=20, use_labels=False)
    given = propagate.source(case.x, params)
    seen = _principal.projection(case.x.embeddings, 20)
    assert given.components == len(seen.shift) < 8
    unit = case.x.embeddings / np.linalg.norm(case.x.embeddings, axis=1, keepdims=True)
    step = np.linalg.matrix_power(given.step.toarray().astype(np.float64), hops)
    before = step @ unit @ seen.matrix - np.outer(step.sum(axis=1), seen.shift)
    np.testing.assert_allclose(
        propagate.smoothed(given, hops)[:, given.components :], before, atol=1e-4
    )


def test_few_components_predict_what_all_columns_predict():
    case = wide_case(size=200, scored=80)
    todo = others(case.x, case.ids)
    found = {}
    for most in (0, 20):
        params = propagate.Params(k=5, hops=2, penalty=0.1, components=most, use_labels=False)
        made = propagate.make(params)
        out = made.fit_predict(case.x, case.ids, case.scores, params, RNG(0))
        found[most] = out.values[todo]
    apart = np.abs(found[0] - found[20]).mean() / case.truth.std()
    assert apart < 0.1, apart
    assert spearman(found[0][:, 0], found[20][:, 0]) > 0.98


def test_what_few_components_do_not_hold_is_read_as_it_is():
    case = problem(size=60, scored=20, width=12)  # five centres and noise in all directions
    params = propagate.Params(k=5, components=3, use_labels=False)
    assert propagate.source(case.x, params).components is None
    assert propagate.source(case.x, params).rows.shape == (60, 12)


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
