"""Several scoring nets: their scores are averaged, all are paid for, and the first is shared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from play import Player

from core import events as ev
from core.facts import DataFacts
from core.plan.build import build_graph
from core.spec import Spec
from core.stages.base import load

Make = Callable[..., Spec]
OVER: dict[str, Any] = {
    "retrain": {"epochs": "1ep"}, "prune": {"rates": [0.8]}, "baselines": ["subset_only"],
}  # fmt: skip


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("nets") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def test_three_nets_are_averaged_paid_for_and_told(player: Player, make_spec: Make) -> None:
    one = player.play(make_spec(score={"also": ["loss"]}, **OVER))
    over = {**OVER, "compute": {"keep_models": "scoring"}}
    story = player.play(make_spec(score={"also": ["loss"], "nets": 3}, **over))
    tasks = ["score-s0", "score-s0-net1", "score-s0-net2"]
    assert [t.id for t in story.graph.tasks if t.stage == "score"] == tasks
    finished = {e.task: e for e in story.events if isinstance(e, ev.TaskFinished)}
    assert [finished[t].reused for t in tasks] == [True, False, False]  # the first was known
    # a seal's name says nothing of the net, so the values are looked up by what they were made of
    table = story.table(0)
    scored = table["source"] == "scored"
    singles = []
    for task in tasks:
        net = finished[task].key
        for folder in player.runs.joinpath("store").glob("score-*"):
            parts = json.loads((folder / "sealed.json").read_text())["parts"]
            if parts["net"] == net and parts["settings"]["name"] == "el2n":
                singles.append(load(folder / "values.npy"))
    assert len(singles) == 3
    assert np.abs(singles[0] - singles[1]).max() > 1e-3  # nets of their own
    np.testing.assert_allclose(table["el2n"][scored], np.mean(singles, axis=0), rtol=1e-5)
    np.testing.assert_allclose(one.table(0)["el2n"][scored], singles[0], rtol=1e-6)
    # the ledger
    rows = {r["task"]: r["sample_passes"] for r in story.summary["cost"]["stages"]}
    assert rows["score-s0"] == rows["score-s0-net1"] == rows["score-s0-net2"] == 4 * 252
    loops = {
        n: next(r for r in s.summary["cost"]["by_rate"] if r["method"] == "knn")["saving_passes"]
        for n, s in ((1, one), (3, story))
    }
    assert loops[1] - loops[3] == pytest.approx(2 * 4 * 252 / 1258)
    assert [s["nets"] for s in story.summary["scores"]] == [3, 3]
    assert [m["trial"] for m in story.summary["artifacts"]["models"]] == [
        "s0-scoring", "s0-scoring-net1", "s0-scoring-net2",
    ]  # fmt: skip


def test_a_preset_may_ask_for_several_nets(make_spec: Make) -> None:
    spec = make_spec(score={"preset": "legacy_se"})
    assert spec.score.nets == 2
    facts = DataFacts(1258, 539, 10, "f")
    graph = build_graph([(spec, facts)])
    assert graph["extrapolate-s0"].needs[:3] == ("subset-s0", "score-s0", "score-s0-net1")
    # as a further score it is recorded from the nets that the main score asks for
    also = make_spec(
        score={"name": "el2n", "also": [{"name": "grand", "preset": "deepcore", "epoch": 0}]}
    )
    assert also.score.nets == 1 and "nets" not in also.score.also[0].params
