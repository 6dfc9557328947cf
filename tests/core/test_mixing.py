"""Real and generated samples in one training: what is planned, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.agreement import of_generated
from core.errors import UserError
from core.facts import DataFacts
from core.plan.build import build_graph
from core.plan.trials import subset_size
from core.spec import Spec
from core.spec_load import SpecError, parse_spec
from core.stages.subset import real_first

FACTS = DataFacts(1000, 100, 10, "print", 1000, n_real=300)


def _spec(
    train: dict[str, Any] | None = None, retrain: dict[str, Any] | None = None, **more: Any
) -> Spec:
    return parse_spec(
        {
            "data": {"name": "arrays", "root": "x.npz"}, "model": {"name": "linear"}, "seeds": [0],
            "subset": {"fraction": 0.4}, "train": {"epochs": "6ep", "batch": 50, **(train or {})},
            "retrain": {"epochs": "4ep", **(retrain or {})},
            "score": {
                "name": "dynamic_uncertainty", "record": "eval_pass", "window": {"length": 3},
            },
            "extrapolate": {"name": "knn"},
            "prune": {"rates": [0.2, 0.5]}, "baselines": ["random", "full"], **more,
        }
    )  # fmt: skip


def _passes(spec: Spec) -> dict[str, int]:
    graph = build_graph([(spec, FACTS)])
    return {(t.trial.id if t.trial else t.id): t.passes for t in graph.tasks if t.passes}


def test_epochs_over_what_is_trained_on_cost_what_they_always_did() -> None:
    plain, mixed = _passes(_spec()), _passes(_spec(retrain={"generated_fraction": 0.7}))
    assert mixed == plain
    assert plain["s0-knn-top_k-r0.5000"] == 4 * 500
    assert plain["score-s0"] == 6 * 400 + 6 * 400  # shown, and looked at after each epoch


def test_epochs_as_long_as_the_real_set_cost_the_same_at_every_rate() -> None:
    found = _passes(_spec(train={"epoch": "real"}))
    assert found["s0-knn-top_k-r0.2000"] == found["s0-knn-top_k-r0.5000"] == 4 * 300
    assert found["s0-full-none-r0.0000"] == 4 * 300
    assert found["score-s0"] == 6 * 300 + 6 * 400


def test_the_ledger_says_which() -> None:
    from core.cost import Ledger

    told = [
        Ledger(build_graph([(spec, FACTS)]), {}).to_dict()["budget"]
        for spec in (_spec(), _spec(retrain={"epoch": "real"}))
    ]
    assert told == ["epochs", "real"]


@pytest.mark.parametrize("recipe", [{"epoch": "real"}, {"generated_fraction": 0.5}])
@pytest.mark.parametrize(
    ("n_real", "kind"), [(None, "generated"), (1000, "generated"), (0, "real")]
)
def test_data_of_one_kind_are_refused(
    recipe: dict[str, Any], n_real: int | None, kind: str
) -> None:
    facts = DataFacts(1000, 100, 10, n_real=n_real)
    with pytest.raises(UserError, match=f"has no {kind} training samples"):
        build_graph([(_spec(retrain=recipe), facts)])


def test_scores_of_the_training_itself_need_every_sample_once_an_epoch() -> None:
    for recipe in ({"epoch": "real"}, {"generated_fraction": 0.5}):
        with pytest.raises(SpecError, match="use eval_pass"):
            _spec(
                train=recipe,
                score={"name": "el2n", "record": "train_forward", "epoch": 1, "span": 2},
            )


def test_methods_that_draw_themselves_are_refused() -> None:
    with pytest.raises(SpecError, match="rs2 draws every epoch itself"):
        _spec(retrain={"epoch": "real"}, baselines=["random", "rs2"])


def test_a_subset_of_all_real_samples_and_some_generated_ones() -> None:
    source = np.array([1, 0, 1, 1, 0, 1, 1, 1], np.uint8)
    order = np.array([6, 4, 0, 3, 1, 7, 2, 5])
    # real: 4 and 1, in the order of the permutation; then the first generated: 6, 0
    assert real_first(order, source, 4).tolist() == [4, 1, 6, 0]
    assert subset_size(_spec(subset={"fraction": 0.4, "how": "real"}), FACTS) == 400
    with pytest.raises(UserError, match="takes all 300 real samples"):
        subset_size(_spec(subset={"fraction": 0.3, "how": "real"}), FACTS)
    with pytest.raises(UserError, match="does not say which samples are real"):
        build_graph([(_spec(subset={"n": 400, "how": "real"}), DataFacts(1000, 100, 10))])


def test_agreement_on_generated_samples_alone_by_hand() -> None:
    source = np.array([0, 0, 1, 1, 1, 1, 1, 1], np.uint8)
    predicted = np.array([9, 9, 1, 2, 3, 1, 2, 3], np.float32)
    measured = np.array([1, 2, 1, 2, 3, np.nan, np.nan, np.nan], np.float32)
    full = np.array([0, 0, 0, 0, 0, 3, 2, 1], np.float32)
    found = of_generated(source, predicted, measured, full, np.array([0, 1, 2, 3, 4]), 0)
    assert found is not None
    assert found["heldout"] == {
        "spearman": pytest.approx(1.0), "pearson": pytest.approx(1.0), "ci_low": None,
        "ci_high": None, "n": 3, "against": "subset_scores",
    }  # fmt: skip
    assert found["reference"]["spearman"] == pytest.approx(-1.0)
    assert found["reference"]["n"] == 3
    for one in (None, np.zeros(8, np.uint8), np.ones(8, np.uint8)):
        assert of_generated(one, predicted, measured, full, np.array([2]), 0) is None
