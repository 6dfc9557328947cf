"""Every extrapolator file passes the kit, and the kit catches broken extrapolators."""

from dataclasses import dataclass

import numpy as np
import pytest

from core import registry
from core.extrapolators.base import Extrapolator, Prediction, others
from core.testing import extrapolators as kit

# Settings that make the same code quicker; what is checked does not depend on them.
CHEAP = {
    "auto": {"methods": ("ridge", "kernel")},
    "dynamics": {"trees": 15},
    "geometry": {"trees": 15},
    "gnn": {"hidden": 32, "epochs": 30, "members": 2},
    "mlp": {"hidden": 32, "epochs": 25, "lr": 0.01, "batch": 64},
    "trees": {"trees": 15},
}


@pytest.mark.parametrize("check", kit.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", registry.names("extrapolator"))
def test_builtin_extrapolator(name, check):
    module = registry.load("extrapolator", name)
    check(lambda: module.make(module.Params(**CHEAP.get(name, {}))))


def test_knn_is_found_and_its_helpers_are_no_plugins():
    found = registry.names("extrapolator")
    assert "knn" in found
    assert not {"choose", "mapping", "base"} & set(found)


@dataclass(frozen=True)
class Nothing:
    pass


class Broken(Extrapolator[Nothing]):
    """Predicts noise from NumPy's global generator, for all samples, and writes to the scores."""

    def candidates(self, m):
        return [Nothing()]

    def fit_predict(self, x, ids, scores, params, rng, targets=None):
        out = Prediction.empty(len(x), scores.shape[1])
        out.values[:] = np.random.standard_normal(out.values.shape)
        out.std[:] = 0
        scores[:] = 0
        return out


class Forgetful(Broken):
    """Leaves the last unscored sample without a value."""

    def fit_predict(self, x, ids, scores, params, rng, targets=None):
        out = Prediction.empty(len(x), scores.shape[1])
        rows = others(x, ids)[:-1]
        out.values[rows] = out.std[rows] = 0
        return out


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (Broken, kit.check_follows_a_smooth_score),
        (Broken, kit.check_survives_large_norms),
        (Broken, kit.check_repeatable),
        (Broken, kit.check_input_untouched),
        (Broken, kit.check_targets),
        (Broken, kit.check_compare_matches_fit_predict),
        (Forgetful, kit.check_predicts_every_unscored_sample),
    ],
)
def test_broken_extrapolator_is_caught(make, check):
    with pytest.raises(AssertionError):
        check(make)
