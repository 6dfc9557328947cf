"""The ledger, by hand: 100 samples, a subset of 20, two rates, two seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.cost import Ledger, predicted_rows
from core.facts import DataFacts
from core.plan.build import build_graph
from core.plan.tasks import Graph
from core.spec import Spec

Make = Callable[..., Spec]
FACTS = DataFacts(100, 40, 4)
# Seconds a stage takes in this story, by seed; a retraining's are per kept sample below.
SECONDS = {
    "subset": (0.5, 0.5), "score": (20.0, 24.0), "embed": (2.0, 4.0), "extrapolate": (1.0, 3.0),
    "reference": (90.0, 110.0), "prune": (0.25, 0.25),
}  # fmt: skip
PER_SAMPLE = (1.0, 1.2)


@pytest.fixture
def graph(make_spec: Make) -> Graph:
    spec = make_spec(
        seeds=[0, 1],
        prune={"rates": [0.5, 0.9]},
        train={"epochs": "2ep", "batch": 10},
        baselines=["random", "full", "subset_only", "true_random", "full_scores"],
        reference="full",
    )
    return build_graph([(spec, FACTS)])


def rows_of(graph: Graph) -> dict[str, dict[str, Any]]:
    rows = {}
    for task in graph.tasks:
        if task.trial and task.stage == "retrain":
            seconds = PER_SAMPLE[task.seed] * task.trial.n_keep
        else:
            seconds = SECONDS[task.stage][task.seed]
        rows[task.id] = {
            "task": task.id, "stage": task.stage, "seed": task.seed,
            "trial": task.trial.id if task.trial else None, "seconds": seconds,
            "sample_passes": task.passes, "flops": None, "peak_memory_bytes": None, "reused": False,
        }  # fmt: skip
    return rows


def by_rate(ledger: Ledger) -> dict[tuple[str, float], dict[str, Any]]:
    return {(r["method"], round(r["rate"], 4)): r for r in ledger.to_dict()["by_rate"]}


def test_every_method_is_charged_with_what_it_needs(graph: Graph) -> None:
    rows = by_rate(Ledger(graph, rows_of(graph)))
    loop = {key: row["loop_seconds"] for key, row in rows.items()}
    # seed 0: .5 + 20 + 2 + 1 + .25 + 50; seed 1: .5 + 24 + 4 + 3 + .25 + 60
    assert loop["knn", 0.5] == pytest.approx((73.75 + 91.75) / 2)
    assert loop["knn", 0.9] == pytest.approx((33.75 + 43.75) / 2)
    assert loop["random", 0.5] == pytest.approx((50.25 + 60.25) / 2)
    assert loop["full", 0.0] == pytest.approx((100 + 120) / 2)
    # the whole subset reads no score; its best half does
    assert loop["subset_only", 0.8] == pytest.approx((0.5 + 0.25 + 20 + 0.5 + 0.25 + 24) / 2)
    assert loop["subset_only", 0.9] == pytest.approx((20.75 + 10 + 24.75 + 12) / 2)
    # neither embedding nor extrapolation
    assert loop["true_random", 0.5] == pytest.approx((20.75 + 50 + 24.75 + 60) / 2)
    # the reference, and no subset
    assert loop["full_scores", 0.5] == pytest.approx((90.25 + 50 + 110.25 + 60) / 2)
    assert len(rows) == 2 * 4 + 2 + 1


def test_savings_in_seconds_and_in_passes(graph: Graph) -> None:
    rows = by_rate(Ledger(graph, rows_of(graph)))
    assert rows["knn", 0.5]["saving"] == pytest.approx(1 - 82.75 / 110)
    # 2 epochs on 20, one pass to embed 100, 2 epochs on 50; full: 2 epochs on 100
    assert rows["knn", 0.5]["saving_passes"] == pytest.approx(1 - (40 + 100 + 100) / 200)
    assert rows["knn", 0.5]["loop_passes"] == pytest.approx(40 + 100 + 100)
    assert rows["random", 0.9]["saving_passes"] == pytest.approx(0.9)
    assert rows["full", 0.0]["saving"] == pytest.approx(0)
    assert rows["full", 0.0]["saving_passes"] == 0
    assert rows["full_scores", 0.5]["saving"] < 0  # it costs more than it spares


def test_break_even_is_the_overhead_in_full_trainings(graph: Graph) -> None:
    cost = Ledger(graph, rows_of(graph)).to_dict()
    assert cost["full_measured"] is True
    assert cost["full_training_seconds"] == pytest.approx(110)
    overhead = (23.75 + 31.75) / 2
    assert cost["break_even_rate"] == pytest.approx(overhead / 110)
    assert [r["task"] for r in cost["stages"]] == [t.id for t in graph.tasks]


def test_a_reused_stage_counts_what_it_first_cost(graph: Graph) -> None:
    rows = rows_of(graph)
    for row in rows.values():
        row["reused"] = True
    assert Ledger(graph, rows).by_rate(110.0) == Ledger(graph, rows_of(graph)).by_rate(110.0)


def test_without_a_full_training_its_time_is_computed(make_spec: Make) -> None:
    spec = make_spec(
        prune={"rates": [0.5]}, train={"epochs": "2ep", "batch": 10}, baselines=["random"]
    )
    graph = build_graph([(spec, FACTS)])
    rows = rows_of(graph)
    rows["retrain-s0-random-random-r0.5000"]["seconds"] = 70.0
    cost = Ledger(graph, rows).to_dict()
    assert cost["full_measured"] is False
    assert cost["full_training_seconds"] == pytest.approx(200 * (50 + 70) / (100 + 100))


def test_an_unfinished_run_has_a_ledger_of_what_is_done(graph: Graph) -> None:
    rows = rows_of(graph)
    partial = {k: v for k, v in rows.items() if "-s1" not in k and "full_scores" not in k}
    cost = Ledger(graph, partial).to_dict()
    found = {(r["method"], round(r["rate"], 4)): r["loop_seconds"] for r in cost["by_rate"]}
    assert found["knn", 0.5] == pytest.approx(73.75)  # of seed 0 alone
    assert not any(method == "full_scores" for method, _ in found)
    assert len(cost["stages"]) == len(partial)
    # a retraining whose inputs are not on the books is not counted either
    del partial["score-s0"]
    left = {r["method"] for r in Ledger(graph, partial).by_rate(100.0)}
    assert left == {"random", "full", "subset_only"}


def test_nothing_done_is_nothing_known(graph: Graph) -> None:
    assert Ledger(graph, {}).to_dict() == {
        "budget": "epochs", "stages": [], "by_rate": [],
        "full_training_seconds": None, "full_measured": False,
        "break_even_rate": None,
    }  # fmt: skip


def test_what_is_predicted_has_exact_passes(make_spec: Make) -> None:
    spec = make_spec(
        prune={"rates": [0.5]}, train={"epochs": "2ep", "batch": 10}, score={"record": "eval_pass"}
    )
    graph = build_graph([(spec, FACTS)])
    rows = predicted_rows(graph, {"train": 0.1, "forward": 0.01})
    assert {k: r["sample_passes"] for k, r in rows.items()} == {t.id: t.passes for t in graph.tasks}
    assert rows["score-s0"]["seconds"] == pytest.approx(40 * 0.1 + 40 * 0.01)
    assert rows["embed-s0"]["seconds"] == pytest.approx(100 * 0.01)
    assert rows["retrain-s0-full-none-r0.0000"]["seconds"] == pytest.approx(20)
    assert rows["extrapolate-s0"]["seconds"] == 0
    # 4.4 to score, 1 to embed; retraining does not count towards the break-even
    assert Ledger(graph, rows).break_even(20.0) == pytest.approx(5.4 / 20)
