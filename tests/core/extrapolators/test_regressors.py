"""Ridge, kernel, trees, perceptrons: against slow references, and what labels may do."""

import math
from dataclasses import replace

import numpy as np
import pytest

from core import registry
from core.errors import UserError
from core.extrapolators import _design, kernel, mlp, ridge, trees
from core.extrapolators.base import Features, others
from core.metrics import spearman
from core.neighbors import Neighbors
from core.testing.extrapolators import problem

RNG = np.random.default_rng


def class_problem():
    """Embeddings that say nothing; the score is the class, plus noise."""
    rng = RNG(0)
    labels = rng.integers(4, size=240)
    x = Features(rng.standard_normal((240, 5)).astype(np.float32), labels, threads=1)
    truth = (labels + 0.1 * rng.standard_normal(240)).astype(np.float32)
    ids = np.sort(rng.permutation(240)[:100])
    return x, ids, truth


def rows_of(x, ids, everyone):
    """The design by hand: standardised columns, then a one-hot label."""
    raw = x.embeddings.astype(np.float64)
    standard = (raw - raw[ids].mean(axis=0)) / raw[ids].std(axis=0)
    hot = np.eye(int(x.labels.max()) + 1)[x.labels]
    return np.concatenate([standard, hot], axis=1)[everyone]


def test_design_by_hand():
    case = problem(size=60, scored=20)
    made = _design.design(case.x, case.ids, "auto", False)
    everyone = np.arange(60)
    np.testing.assert_allclose(made.rows(everyone), rows_of(case.x, case.ids, everyone), atol=1e-4)
    given = replace(case.x, predictions=np.full((60, 3), 0.25, np.float32))
    joined = _design.design(given, case.ids, False, True).rows(everyone)
    assert joined.shape == (60, 6 + 3) and (joined[:, 6:] == 0.25).all()


def test_a_constant_column_is_left_alone():
    x = Features(np.full((6, 2), 7, np.float32), threads=1)
    assert (_design.design(x, np.arange(3), "auto", False).rows(np.arange(6)) == 0).all()


def test_ridge_matches_the_normal_equations_and_leaving_out_by_hand():
    case = problem(size=60, scored=25)
    params = ridge.Params(penalty=0.05)
    todo = others(case.x, case.ids)
    out = ridge.make(params).fit_predict(case.x, case.ids, case.scores, params, RNG(0))
    fitted, asked = rows_of(case.x, case.ids, case.ids), rows_of(case.x, case.ids, todo)

    def solve(inside, queries):
        """Ridge with an intercept that is not penalised; the penalty stays that of all 25."""
        mean, rows = fitted[inside].mean(axis=0), fitted[inside] - fitted[inside].mean(axis=0)
        inverse = np.linalg.inv(rows.T @ rows + 0.05 * 25 * np.eye(rows.shape[1]))
        level = case.scores[inside].mean(axis=0, dtype=np.float64)
        weights = inverse @ rows.T @ (case.scores[inside] - level)
        far = np.einsum("ij,jk,ik->i", queries - mean, inverse, queries - mean)
        return level + (queries - mean) @ weights, far

    everyone = np.arange(25)
    values, far = solve(everyone, asked)
    np.testing.assert_allclose(out.values[todo], values, atol=1e-4)
    hat = [1 / 25 + solve(everyone, fitted[i : i + 1])[1][0] for i in everyone]
    kept = solve(everyone, fitted)[0]
    errors = (case.scores - kept) / (1 - np.array(hat))[:, None]
    std = np.sqrt((errors**2).mean(axis=0)) * np.sqrt(1 + 1 / 25 + far)[:, None]
    np.testing.assert_allclose(out.std[todo], std, rtol=1e-3)
    # the shortcut for leaving one out is exact up to the moved centre, which is of order 1/m
    really = np.array(
        [case.scores[i] - solve(np.delete(everyone, i), fitted[i : i + 1])[0][0] for i in everyone]
    )
    np.testing.assert_allclose(errors, really, atol=0.05)


@pytest.mark.parametrize("discount", [1.0, 0.3])
def test_kernel_matches_a_loop(discount):
    case = problem(size=60, scored=25)
    params = kernel.Params(bandwidth=0.7, other_class=discount)
    out = kernel.make(params).fit_predict(case.x, case.ids, case.scores, params, RNG(0))
    rows = case.x.embeddings.astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    tenth = [sorted(np.linalg.norm(rows[case.ids] - rows[i], axis=1))[10] for i in case.ids]
    width = 0.7 * np.median(tenth)
    for target in others(case.x, case.ids):
        weights = []
        for i in case.ids:
            apart = np.linalg.norm(rows[target] - rows[i])
            other = case.x.labels[i] != case.x.labels[target]
            weights.append(math.exp(-(apart**2) / (2 * width**2)) * (discount if other else 1))
        weights = np.array(weights) / sum(weights)
        mean = weights @ case.scores
        np.testing.assert_allclose(out.values[target], mean, atol=1e-3)
        spread = np.sqrt(weights @ (case.scores - mean) ** 2)
        np.testing.assert_allclose(out.std[target], spread, atol=1e-3)


def test_kernel_weights_never_all_vanish():
    near = Neighbors(np.array([[1e4, 2e4]], np.float32), np.array([[1, 0]]))
    params = kernel.Params(bandwidth=0.1, other_class=1.0)
    mean, std = kernel.smooth(near, None, np.array([[5.0], [3.0]], np.float32), params, 1.0)
    assert (mean.item(), std.item()) == (3.0, 0.0)


def test_a_forest_predicts_what_scikit_learn_does_and_spreads_like_its_leaves():
    case = problem(size=80, scored=40)
    params = trees.Params(kind="extra", trees=7, use_labels=False)
    rows = _design.design(case.x, case.ids, False, False).rows(np.arange(80))
    one = case.scores[:, :1]
    values, std = trees.forest(rows[case.ids], one, params, 3, 1)(rows)
    from sklearn.ensemble import ExtraTreesRegressor

    plain = ExtraTreesRegressor(7, min_samples_leaf=3, max_features=0.3, random_state=3)
    plain.fit(rows[case.ids], one[:, 0] / one.std())
    np.testing.assert_allclose(values[:, 0], plain.predict(rows) * one.std(), rtol=1e-4)
    leaves, asked = plain.apply(rows[case.ids]), plain.apply(rows)
    for query in range(80):  # every tree gives each sample of the leaf an equal share of 1/7
        first = second = 0.0
        for t in range(7):
            inside = one[leaves[:, t] == asked[query, t], 0].astype(np.float64)
            first, second = first + inside.mean() / 7, second + (inside**2).mean() / 7
        assert std[query, 0] == pytest.approx(math.sqrt(second - first**2), abs=1e-4)


def test_boosting_errors_are_of_models_that_did_not_see_the_sample():
    rng = RNG(0)
    rows = rng.standard_normal((200, 3)).astype(np.float32)
    noise = rng.standard_normal((200, 1)).astype(np.float32)
    params = trees.Params(kind="boosting", trees=60)
    values, std = trees.boosting(rows, noise, params, 0)(rows)
    assert np.corrcoef(values[:, 0], noise[:, 0])[0, 1] > 0.5  # it has learnt the noise by heart,
    assert np.median(std) > 0.9  # and still knows that it cannot predict it


def test_perceptrons_know_their_noise_and_leave_torchs_random_state_alone():
    import torch

    rng = RNG(0)
    rows = rng.standard_normal((300, 3)).astype(np.float32)
    scores = np.stack([rows[:, 0], rows[:, 0] + 0.5 * rng.standard_normal(300)], axis=1)
    params = mlp.Params(hidden=32, epochs=40, lr=0.01, dropout=0.0)
    before = torch.random.get_rng_state()
    made = mlp.Ensemble(torch.from_numpy(rows), scores.astype(np.float32), params, rng, "cpu")
    values, std = made.predict(rows)
    assert torch.equal(before, torch.random.get_rng_state())
    assert spearman(values[:, 0], rows[:, 0]) > 0.98
    assert np.median(std[:, 0]) < 0.2 < 0.4 < np.median(std[:, 1]) < 0.7


QUICK = {
    "ridge": ridge.Params(penalty=0.01),
    "kernel": kernel.Params(bandwidth=1.0, other_class=0.05),
    "trees": trees.Params(kind="extra", trees=30),
    "mlp": mlp.Params(hidden=32, epochs=30, lr=0.01, dropout=0.0),
}


@pytest.mark.parametrize("name", QUICK)
def test_labels_are_used_where_all_are_there_and_only_then(name):
    x, ids, truth = class_problem()
    module, params = registry.load("extrapolator", name), QUICK[name]

    def reached(labels, use):
        chosen = replace(params, use_labels=use)
        seen = replace(x, labels=labels)
        made = module.make(chosen)
        out = made.fit_predict(seen, ids, truth[ids, None], chosen, RNG(0))
        todo = others(x, ids)
        return spearman(out.values[todo, 0], truth[todo])

    missing = x.labels.copy()
    missing[others(x, ids)[0]] = -1
    assert reached(x.labels, "auto") > 0.8
    assert abs(reached(x.labels, False)) < 0.4
    assert abs(reached(missing, "auto")) < 0.4
    with pytest.raises(UserError, match="label of every sample"):
        reached(missing, True)
    assert "labels" in module.make(params).needs
    assert "labels" not in module.make(replace(params, use_labels=False)).needs


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (ridge, {"penalty": 0.0}),
        (kernel, {"bandwidth": -1.0}),
        (kernel, {"other_class": 2.0}),
        (kernel, {"reach": 0}),
        (trees, {"trees": 0}),
        (trees, {"columns": 0.0}),
        (mlp, {"dropout": 1.0}),
        (mlp, {"hidden": 0}),
    ],
)
def test_impossible_options_are_refused(module, options):
    with pytest.raises(UserError, match=rf"extrapolate\.{next(iter(options))}"):
        module.make(module.Params(**options))
