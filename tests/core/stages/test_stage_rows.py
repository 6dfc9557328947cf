"""What a policy is shown in a run: companions of every method, embeddings, neighbours; and what is
refused before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from play import Player, Story

from core.artifacts import read_kept
from core.errors import UserError
from core.facts import DataFacts
from core.plan.build import build_graph
from core.rng import generator
from core.selection import beta, coverage
from core.selection.base import SelectionInput, keep
from core.spec import Spec
from core.spec_load import SpecError
from core.stages.prune import refuse_impossible

Make = Callable[..., Spec]
FACTS = DataFacts(1258, 539, 10, "f")
ALSO = ["mean_probability", {"name": "aum", "preset": "ccs"}]
OVER: dict[str, Any] = {
    "score": {"also": ALSO},
    "retrain": {"epochs": "1ep"},
    "baselines": ["subset_only", "true_random", "full_scores"],
    "reference": "full",
}


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("rows") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def story(player: Player, make_spec: Make) -> Story:
    prune = {"policy": "coverage", "cutoff": 0.2, "strata": 8, "rates": [0.9]}
    return player.play(make_spec(prune=prune, **OVER))


def chosen(policy: Any, rows: SelectionInput, n: int, rate: float = 0) -> list[int]:
    rng = generator(0, "analysis", "select")
    rate = rate or 1 - n / len(rows)
    return keep(policy, rows, n, rate, rng).tolist()


def test_the_companion_is_extrapolated_and_cuts_off_the_low_end(story: Story) -> None:
    table = story.table(0)
    rows = SelectionInput(
        table["el2n"], columns={"aum": table["aum"]}, directions={"aum": "low"},
        params=coverage.Params(0.2, "aum", 8),
    )  # fmt: skip
    kept = read_kept(story.run, "s0-knn-coverage-r0.9000")
    assert kept.tolist() == chosen(coverage, rows, len(kept))
    lowest = np.argsort(table["aum"], kind="stable")[:200]  # most of the 252 that are cut off
    assert not set(lowest.tolist()) & set(kept.tolist())


@pytest.mark.parametrize("method", ["subset_only", "true_random", "full_scores"])
def test_baselines_have_companions_of_their_own(story: Story, method: str) -> None:
    table = story.table(0)
    trial = f"s0-{method}-coverage-r0.9000"
    kept = read_kept(story.run, trial)
    assert len(kept) == 126
    scored = table["source"] == "scored"
    if method == "subset_only":
        assert scored[kept].all()
        ids = np.flatnonzero(scored)
        rows = SelectionInput(
            table["el2n"][ids], columns={"aum": table["aum"][ids]}, directions={"aum": "low"},
            params=coverage.Params(0.2, "aum", 8),
        )  # fmt: skip
        assert kept.tolist() == ids[chosen(coverage, rows, 126)].tolist()
    if method == "full_scores":
        hardest = np.argsort(table["aum_full"], kind="stable")[:252]
        assert not set(hardest.tolist()) & set(kept.tolist())


def test_beta_reads_the_mean_probability_as_it_is(player: Player, make_spec: Make) -> None:
    over = {**OVER, "baselines": ["random"], "reference": "none"}
    story = player.play(make_spec(prune={"policy": "beta", "rates": [0.8]}, **over))
    table = story.table(0)
    columns = {"mean_probability": table["mean_probability"]}
    assert 0 <= columns["mean_probability"].min() <= columns["mean_probability"].max() <= 1
    rows = SelectionInput(table["el2n"], columns=columns)
    kept = read_kept(story.run, "s0-knn-beta-r0.8000")
    assert kept.tolist() == chosen(beta, rows, len(kept), 0.8)


def test_graph_and_moderate_read_one_embedding(player: Player, make_spec: Make) -> None:
    over = {**OVER, "baselines": ["subset_only"], "reference": "none"}
    graph = player.play(make_spec(prune={"policy": "graph", "k": 4, "rates": [0.9]}, **over))
    stages = {t.id: t for t in graph.graph.tasks}
    assert "neighbors-s0" in stages["prune-s0-knn-graph-r0.9000"].needs
    assert "neighbors-s0" not in stages["extrapolate-s0"].needs
    assert len(read_kept(graph.run, "s0-subset_only-graph-r0.9000")) == 126
    moderate = player.play(make_spec(prune={"policy": "moderate", "rates": [0.9]}, **over))
    kept = read_kept(moderate.run, "s0-knn-moderate-r0.9000")
    assert len(kept) == 126
    assert kept.tolist() != read_kept(graph.run, "s0-knn-graph-r0.9000").tolist()


@pytest.mark.parametrize(
    ("prune", "said"),
    [
        (
            {"policy": "coverage"},
            r"coverage also reads the score 'aum'; add it: score.also: \[aum\]",
        ),
        ({"policy": "coverage", "by": "aun"}, "no score is called 'aun'"),
        ({"policy": "beta"}, "also reads the score 'mean_probability'"),
        ({"policy": "graph", "by": "loss"}, "also reads the score 'loss'"),
    ],
)
def test_a_missing_companion_is_one_line(make_spec: Make, prune: Any, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        make_spec(prune=prune)


def test_a_cutoff_of_the_whole_rate_is_possible(make_spec: Make) -> None:
    """0.3 of 1258 rounds to 0.2997, which is still the published rate of 0.3."""
    prune = {"policy": "coverage", "cutoff": 0.3, "rates": [0.3]}
    refuse_impossible(build_graph([(make_spec(prune=prune, score={"also": ALSO}), FACTS)]))
    make_spec(prune={"policy": "coverage", "by": None})


@pytest.mark.parametrize(
    ("prune", "said"),
    [
        ({"policy": "coverage", "cutoff": 0.4}, "knn at rate 0.3: prune.cutoff drops 40%"),
        ({"policy": "graph", "k": 0}, "prune.k is 0"),
        ({"policy": "beta", "c": -1}, "prune.c is -1"),
        ({"policy": "score_sampling", "power": -2}, "prune.power is -2"),
        # 252 are scored and at rate 0.85 189 of them kept: 25% of the subset is pruned
        ({"policy": "coverage", "cutoff": 0.3, "rates": [0.85]}, "subset_only at rate 0.85"),
    ],
)
def test_impossible_settings_are_refused_before_training(
    make_spec: Make, prune: Any, said: str
) -> None:
    spec = make_spec(prune=prune, score={"also": ALSO}, baselines=["subset_only"])
    with pytest.raises(UserError, match=said):
        refuse_impossible(build_graph([(spec, FACTS)]))
