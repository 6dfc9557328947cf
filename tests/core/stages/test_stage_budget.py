"""``retrain.budget: seconds``: as long as full of the same seed, whoever is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from play import Player
from pydantic import TypeAdapter

from core import words
from core.cost import Ledger
from core.errors import UserError
from core.facts import DataFacts
from core.plan.build import build_graph
from core.plan.passes import retrain_steps
from core.report.facts import facts_of
from core.report.sections.cost import cost
from core.schemas.summary import SummaryDocument
from core.spec import Spec

Make = Callable[..., Spec]
OVER: dict[str, Any] = {
    "seeds": [0, 1], "baselines": ["random", "rs2", "full"], "prune": {"rates": [0.8]},
    "retrain": {"epochs": "2ep", "budget": "seconds"},
}  # fmt: skip
FACTS = DataFacts(1258, 539, 10, "f")


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("budget") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def test_every_retraining_takes_as_long_as_its_seeds_full(player: Player, make_spec: Make) -> None:
    spec = make_spec(**OVER)
    story = player.play(spec)
    TypeAdapter(SummaryDocument).validate_python(story.summary)
    full = {row["seed"]: row for row in story.trials("full")}
    planned = retrain_steps(spec, FACTS, 1258)
    assert {row["steps"] for row in full.values()} == {planned}
    for method in ("knn", "random", "rs2"):
        for row in story.trials(method):
            assert row["seconds"] >= full[row["seed"]]["seconds"] and row["steps"] >= 1
            sealed = next(
                json.loads((folder / "sealed.json").read_text())
                for folder in story.store.root.glob("retrain-*")
                if json.loads((folder / "sealed.json").read_text())["cost"]["seconds"]
                == row["seconds"]
            )
            assert sealed["parts"]["recipe"]["seconds"] == full[row["seed"]]["seconds"]
            assert sealed["cost"]["sample_passes"] == row["sample_passes"]  # measured, not planned
    # full is a yardstick: nobody pays for it
    loops = {r["method"]: r["loop_seconds"] for r in story.summary["cost"]["by_rate"]}
    mean = sum(row["seconds"] for row in story.trials("rs2")) / 2
    assert loops["rs2"] == pytest.approx(mean)
    assert story.summary["cost"]["budget"] == "seconds"
    shown = str(cost(facts_of(story.run)))
    assert "Nothing is saved in retraining: each takes as many seconds as full" in shown
    again = player.play(spec)  # what is sealed is found: full's time is in the store
    assert [t["seconds"] for t in again.trials("knn")] == [
        t["seconds"] for t in story.trials("knn")
    ]


def test_the_plan_has_full_first_and_charges_it_to_nobody(make_spec: Make) -> None:
    graph = build_graph([(make_spec(**OVER), FACTS), (make_spec(**OVER, score={"span": 1}), FACTS)])
    names = [task.id for task in graph.tasks]
    full = "retrain-s0-full-none-r0.0000"
    for method in ("knn-top_k", "random-random", "rs2-none"):
        retraining = graph[f"retrain-s0-{method}-r0.8000"]
        assert full in retraining.needs and names.index(full) < names.index(retraining.id)
        assert full not in Ledger(graph, {}).closure(retraining)
        assert retraining.passes == pytest.approx(2 * 1258, rel=0.05)  # as many steps as full
    assert graph[full].needs == () and graph[full].cells == (0, 1)
    counted = build_graph([(make_spec(**{**OVER, "retrain": {"budget": "steps"}}), FACTS)])
    assert counted["retrain-s0-rs2-none-r0.8000"].needs == ()


def test_where_it_cannot_be(make_spec: Make) -> None:
    with pytest.raises(UserError, match="trains on everything, and 658 samples have no label"):
        build_graph([(make_spec(**OVER), DataFacts(1258, 539, 10, "f", n_labelled=600))])


def test_the_words_say_that_nothing_is_saved() -> None:
    assert words.pays(0.25, "epochs") == words.pays(0.25) == "pruning pays above rate 0.25"
    assert "as many steps as full" in words.pays(0.25, "steps")
    assert "depends on the machine" in words.pays(0.25, "seconds")
    assert words.passes_known(False) == "sample passes of retrainings are estimates"
