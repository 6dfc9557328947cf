"""The choice by one fold of the scored samples."""

from dataclasses import dataclass

import numpy as np
import pytest

from core import neighbors
from core.errors import RunFailure, UserError
from core.extrapolators import knn
from core.extrapolators.base import Extrapolator, Prediction, others
from core.extrapolators.choose import choose, split
from core.metrics import spearman
from core.rng import generator
from core.testing.extrapolators import problem


def test_split_is_a_fifth_and_covers_all():
    fold, rest = split(252, np.random.default_rng(0))
    assert len(fold) == 50
    assert sorted([*fold, *rest]) == list(range(252))
    assert [len(part) for part in split(2, np.random.default_rng(0))] == [1, 1]


def test_choice_equals_trying_every_candidate_by_hand():
    case = problem()
    seen = []
    found = choose(knn.make(knn.Params()), case.x, case.ids, case.scores, 4, seen.append)
    fold, rest = split(len(case.ids), generator(4, "analysis", "fold"))
    reached = []
    for params in knn.make(knn.Params()).candidates(len(case.ids)):
        out = knn.make(params).fit_predict(
            case.x, case.ids[rest], case.scores[rest], params, None, case.ids[fold]
        )
        reached.append(spearman(out.values[case.ids[fold], 0], case.scores[fold, 0]))
    assert [c.heldout for c in seen] == pytest.approx(reached)
    assert tuple(seen) == found.candidates
    assert [c.chosen for c in seen].index(True) == int(np.argmax(reached))
    assert sum(c.chosen for c in seen) == 1
    assert found.heldout.spearman == pytest.approx(max(reached))
    np.testing.assert_array_equal(found.heldout.ids, case.ids[fold])
    winner = knn.Params(**found.chosen)
    refit = knn.make(winner).fit_predict(case.x, case.ids, case.scores, winner, None)
    np.testing.assert_array_equal(found.prediction.values, refit.values)
    assert np.isfinite(found.prediction.values[others(case.x, case.ids)]).all()


def test_candidates_share_one_search(monkeypatch):
    case = problem()
    searches = []
    plain = neighbors.search_rows

    def counted(*args, **kwargs):
        searches.append(args[3])
        return plain(*args, **kwargs)

    monkeypatch.setattr(neighbors, "search_rows", counted)
    found = choose(knn.make(knn.Params()), case.x, case.ids, case.scores, 0)
    assert searches == [20, found.chosen["k"]]


def test_the_seed_decides_the_fold():
    case = problem()
    folds = [choose(knn.make(knn.Params()), case.x, case.ids, case.scores, s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(folds[0].heldout.ids, folds[1].heldout.ids)
    assert not np.array_equal(folds[0].heldout.ids, folds[2].heldout.ids)


def test_order_of_the_ids_does_not_matter_to_the_prediction():
    case = problem()
    params = knn.Params(k=10, weights="mean")
    back = slice(None, None, -1)
    one = choose(knn.make(params), case.x, case.ids, case.scores, 0)
    two = choose(knn.make(params), case.x, case.ids[back], case.scores[back], 0)
    np.testing.assert_allclose(one.prediction.values, two.prediction.values, atol=1e-6)


def test_heldout_as_json():
    large, small = problem(size=400, scored=260), problem(size=80, scored=30)
    one, two = (
        choose(knn.make(knn.Params()), c.x, c.ids, c.scores[:, 0], 0).heldout.as_json()
        for c in (large, small)
    )
    assert list(one) == ["spearman", "ci_low", "ci_high", "pearson", "n", "against"]
    assert one["against"] == "subset_scores"
    assert one["n"] == 52
    assert one["ci_low"] < one["spearman"] < one["ci_high"]
    assert two["n"] == 6
    assert two["ci_low"] is None and two["ci_high"] is None


def test_constant_scores_are_undefined_and_the_first_candidate_wins():
    case = problem()
    found = choose(knn.make(knn.Params()), case.x, case.ids, np.full(len(case.ids), 0.3), 0)
    assert all(c.heldout is None for c in found.candidates)
    assert found.candidates[0].chosen
    todo = others(case.x, case.ids)
    assert (found.prediction.values[todo] == np.float32(0.3)).all()


@dataclass(frozen=True)
class Sign:
    sign: int


class Signed(Extrapolator[Sign]):
    """Predicts the embedding's first entry, times a sign, times a random number."""

    def candidates(self, m):
        return [Sign(-1), Sign(1)]

    def fit_predict(self, x, ids, scores, params, rng, targets=None):
        targets = others(x, ids) if targets is None else targets
        out = Prediction.empty(len(x), scores.shape[1])
        out.values[targets] = params.sign * x.embeddings[targets, :1] * rng.random()
        out.std[targets] = 0
        return out


def test_any_extrapolator_is_judged_by_the_first_score():
    case = problem()
    first = case.x.embeddings[case.ids, 0]
    found = choose(Signed(), case.x, case.ids, np.stack([first, -first], axis=1), 0)
    assert found.chosen == {"sign": 1}
    assert [c.heldout for c in found.candidates] == pytest.approx([-1, 1])
    again = choose(Signed(), case.x, case.ids, np.stack([first, -first], axis=1), 0)
    np.testing.assert_array_equal(found.prediction.values, again.prediction.values)


def test_bad_scores_are_named():
    case = problem()
    scores = case.scores.copy()
    scores[[2, 5], 0] = np.nan, np.inf
    with pytest.raises(RunFailure, match="2 of 90"):
        choose(knn.make(knn.Params()), case.x, case.ids, scores, 0)
    with pytest.raises(UserError, match="too few"):
        choose(knn.make(knn.Params()), case.x, case.ids[:1], case.scores[:1], 0)
    with pytest.raises(ValueError, match="unique"):
        choose(knn.make(knn.Params()), case.x, case.ids * 0, case.scores, 0)


def test_too_many_neighbours_for_the_fold():
    case = problem(size=80, scored=30)
    with pytest.raises(UserError, match="from 1 to 24"):
        choose(knn.make(knn.Params(k=25)), case.x, case.ids, case.scores, 0)
