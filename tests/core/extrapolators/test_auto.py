"""The combination of methods: by hand, and that no sample predicts itself."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from core.errors import UserError
from core.extrapolators import auto
from core.extrapolators.base import Extrapolator, Prediction, others
from core.extrapolators.choose import choose
from core.metrics import Z80, spearman
from core.testing.extrapolators import problem

RNG = np.random.default_rng
QUICK = auto.Params(methods=("ridge", "kernel"))


def part(inside, values):
    inside, values = np.array(inside, np.float32)[:, None], np.array(values, np.float32)[:, None]
    return auto.Part(inside, np.ones_like(inside), values, np.ones_like(values))


def test_the_best_alone_is_the_one_that_ranks_unseen_folds_best():
    truth = np.array([1, 2, 3, 4, 5], np.float32)
    good, bad = part([2, 4, 6, 8, 10], [12, 14]), part([5, 1, 4, 2, 3], [0, 1])
    values, std = auto.combine([bad, good], truth, 0, "best")
    np.testing.assert_allclose(values, [6, 7])  # the line through (2, 1) .. (10, 5)
    assert (std < 1e-4).all()  # it made no error


def test_the_mean_of_ranks_by_hand():
    truth = np.array([0, 1, 2, 3], np.float32)
    one, two = part([0, 1, 2, 3], [0, 3]), part([0, 10, 200, 3000], [3000, 3000])
    values, _ = auto.combine([one, two], truth, 0, "average")
    # levels 1/8 .. 7/8; the second sample is at 7/8 in both, the first at 1/8 and 7/8
    np.testing.assert_allclose(values, [1.5, 3], atol=1e-5)


def test_stacking_takes_what_helps_and_nothing_negative():
    rng = RNG(0)
    truth = rng.standard_normal(400)
    useful, noise = truth + 0.3 * rng.standard_normal(400), rng.standard_normal(400)
    weights = auto._weights(np.stack([useful, -truth, noise], axis=1), truth, "stack")
    assert weights[0] > 0.7 and weights[1] == 0 and 0 <= weights[2] < 0.1


def test_eighty_percent_of_unseen_folds_lie_in_their_interval():
    rng = RNG(0)
    truth = rng.standard_normal(500).astype(np.float32)
    given = part(truth + rng.standard_normal(500), np.zeros(3))
    _, std = auto.combine([given], truth, 0, "best")
    fitted = np.polyval(np.polyfit(given.inside[:, 0], truth, 1), given.inside[:, 0])
    inside = np.abs(truth - fitted) <= Z80 * std[0]
    assert inside.mean() == pytest.approx(0.8, abs=0.01)


@dataclass(frozen=True)
class Nothing:
    pass


class ByHeart(Extrapolator[Nothing]):
    """Knows the fitted scores by heart and predicts 0 for all others."""

    def candidates(self, m):
        return [Nothing()]

    def fit_predict(self, x, ids, scores, params, rng, targets=None):
        out = Prediction.empty(len(x), scores.shape[1])
        out.values[targets], out.std[targets] = 0, 1
        known = np.isin(targets, ids)
        out.values[targets[known]] = scores[np.searchsorted(ids, targets[known])]
        return out


def test_no_sample_is_predicted_with_its_own_score():
    case = problem()
    todo = others(case.x, case.ids)
    made = auto.fitted(ByHeart(), case.x, case.ids, case.scores, 0, todo)
    assert (made.inside == 0).all()


def test_auto_is_chosen_like_any_method_and_says_what_it_took():
    case = problem(size=500, scored=150)
    found = choose(auto.make(QUICK), case.x, case.ids, case.scores, 0)
    assert [c.params["combine"] for c in found.candidates] == ["best", "average", "stack"]
    todo = others(case.x, case.ids)
    assert spearman(found.prediction.values[todo, 0], case.truth[todo, 0]) > 0.9
    assert spearman(found.prediction.values[todo, 1], case.truth[todo, 1]) > 0.9


def test_labels_may_be_forbidden_to_all_at_once():
    assert "labels" in auto.make(QUICK).needs
    assert "labels" not in auto.make(replace(QUICK, use_labels=False)).needs


@pytest.mark.parametrize(
    ("methods", "said"), [((), "empty"), (("auto",), "'auto'"), (("riddge",), "'ridge'")]
)
def test_impossible_methods_are_refused(methods, said):
    with pytest.raises(UserError, match=said):
        auto.make(auto.Params(methods=methods))


def test_methods_that_read_positions_are_not_judged_by_what_the_net_was_trained_on():
    case = problem()
    methods = auto.make(auto.Params()).methods
    names = {id(method): name for name, method in methods.items()}

    def told(x, of=methods):
        return [names.get(id(m)) for m in auto.judged(of.values(), x)]

    assert told(case.x) == ["geometry", "kernel", "ridge", "trees"]
    seen = replace(case.x, trained_on=case.ids)
    assert told(seen) == ["geometry"]
    assert told(seen, {n: m for n, m in methods.items() if n != "geometry"}) == [
        "kernel", "ridge", "trees",
    ]  # fmt: skip
    watched = auto.make(auto.Params(methods=("ridge", "dynamics"))).methods
    assert auto.judged(watched.values(), seen) == [watched["dynamics"]]
    alone = auto.make(auto.Params(methods=("geometry",)))
    both = auto.make(auto.Params(methods=("geometry", "ridge")))
    found = [
        m.fit_predict(seen, case.ids, case.scores, replace(m.given, combine="best"), RNG(0)).values
        for m in (alone, both)
    ]
    assert np.array_equal(*found, equal_nan=True)
