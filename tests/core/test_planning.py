"""What the cells of a sweep share, against plans made for each cell alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.facts import DataFacts
from core.plan.build import build_graph
from core.planning import SweepPlan, data_key, plan_cells
from core.spec_load import SpecError
from core.sweep_spec import parse_sweep

Plain = Callable[..., dict[str, Any]]
FACTS = DataFacts(1258, 539, 10, "f")


def plan_of(spec: dict[str, Any], *axes: str, facts: DataFacts = FACTS) -> SweepPlan:
    cells = parse_sweep(spec, (), axes).cells()
    return plan_cells(cells, {data_key(c.spec): facts for c in cells})


def test_a_cells_tasks_are_those_it_would_have_alone(plain_spec: Plain) -> None:
    plan = plan_of(plain_spec(seeds=[0, 1], reference="full"), "extrapolate.k=5,10")
    for index, cell in enumerate(plan.cells):
        alone = build_graph([(cell.spec, FACTS)])
        names = plan.graph.names[index]
        assert list(names) == [t.id for t in alone.tasks]
        for task in alone.tasks:
            there = plan.graph[names[task.id]]
            assert (there.identity, there.passes) == (task.identity, task.passes)
            assert [names[n] for n in task.needs] == list(there.needs)
            assert index in there.cells
    assert plan.asked_for() == sum(len(build_graph([(c.spec, FACTS)]).tasks) for c in plan.cells)


def test_extrapolators_and_policies_share_the_scoring_run(plain_spec: Plain) -> None:
    plan = plan_of(
        plain_spec(seeds=[0, 1], reference="full", prune={"rates": [0.1, 0.3, 0.5, 0.7, 0.8]}),
        "extrapolate.k=5,10", "prune.policy=top_k,class_balanced,random",
    )  # fmt: skip
    of = {stage: [t for t in plan.graph.tasks if t.stage == stage] for stage in
          ("score", "reference", "embed", "extrapolate", "retrain")}  # fmt: skip
    assert len(of["score"]) == len(of["reference"]) == len(of["embed"]) == 2  # one a seed
    assert len(of["extrapolate"]) == 4
    by_method: dict[str, int] = {}
    for task in of["retrain"]:
        assert task.trial is not None
        by_method[task.trial.method] = by_method.get(task.trial.method, 0) + 1
    assert by_method == {"knn": 2 * 5 * 6, "random": 2 * 5, "full": 2}


def test_scores_of_different_settings_come_from_one_training(plain_spec: Plain) -> None:
    plan = plan_of(plain_spec(train={"epochs": "8ep"}), "score.span=2,3")
    scoring = [t for t in plan.graph.tasks if t.stage == "score"]
    assert len(scoring) == 1
    assert sorted(s["span"] for s in scoring[0].scores) == [2, 3]
    for task in plan.graph.tasks:
        if task.stage == "extrapolate":  # a piece shows the scores of its own cell only
            piece = plan.piece(task)
            spec = plan.graph.spec_of(task)
            assert [s["span"] for s in piece[scoring[0].id].scores] == [spec.score.params["span"]]


def test_a_piece_stands_alone(plain_spec: Plain) -> None:
    plan = plan_of(plain_spec(), "extrapolate.k=5,10")
    for task in plan.graph.tasks:
        piece = plan.piece(task)
        seen: set[str] = set()
        for part in piece.tasks:
            assert set(part.needs) <= seen
            seen.add(part.id)
        assert piece.tasks[-1].id == task.id and len(seen) == len(piece.tasks)
        assert piece.spec_of(piece[task.id]) == plan.graph.spec_of(task)


def test_another_training_is_not_shared(plain_spec: Plain) -> None:
    plan = plan_of(plain_spec(), "train.batch=32,64")
    assert len([t for t in plan.graph.tasks if t.stage == "score"]) == 2
    random = [t for t in plan.graph.tasks if t.trial and t.trial.method == "random"]
    assert len([t for t in random if t.stage == "prune"]) == 2  # selection reads no training


def test_cells_that_do_not_fit_the_data_are_told_together(plain_spec: Plain) -> None:
    spec = plain_spec()
    spec["subset"] = {"n": 20}
    with pytest.raises(SpecError) as told:
        plan_of(spec, "subset.n=5,7,20,2000")
    text = str(told.value)
    assert "5 samples for 10 classes" in text and "7 samples for 10 classes" in text
    assert "2000 is not smaller" in text and "(subset.n=2000)" in text
