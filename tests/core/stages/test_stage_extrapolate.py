"""What the extrapolation stage hands to a method, and who pays for it: real, tiny runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from play import Player, Story

from core import events as ev
from core import registry
from core.neighbors import among_all
from core.spec import Spec

Make = Callable[..., Spec]
OVER: dict[str, Any] = {
    "baselines": ["random"], "prune": {"rates": [0.8]}, "retrain": {"epochs": "1ep"},
}  # fmt: skip


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("extrapolate") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def story(player: Player, make_spec: Make) -> Story:
    return player.play(make_spec(extrapolate={"name": "propagate", "k": 7}, **OVER))


def _entry(story: Story, stage: str) -> Any:
    return next((story.store.root).glob(f"{stage}-*"))


def test_neighbours_are_sealed_and_charged_to_the_method(story: Story) -> None:
    embeddings = np.load(_entry(story, "embed") / "embeddings.npy")
    near = among_all(embeddings, 7, threads=1)
    folder = _entry(story, "neighbors")
    np.testing.assert_array_equal(np.load(folder / "indices.npy"), near.indices)
    np.testing.assert_array_equal(np.load(folder / "distances.npy"), near.distances)
    cost = story.summary["cost"]
    seconds = {row["stage"]: row["seconds"] for row in cost["stages"] if row["trial"] is None}
    own = [r for r in cost["stages"] if r["trial"] and "propagate" in r["trial"]]
    loop = next(r["loop_seconds"] for r in cost["by_rate"] if r["method"] == "propagate")
    assert seconds["neighbors"] > 0
    assert loop == pytest.approx(sum(seconds.values()) + sum(r["seconds"] for r in own))


def test_another_method_finds_them_done(story: Story, player: Player, make_spec: Make) -> None:
    other = {"name": "label_propagation", "k": 7}
    again = player.play(make_spec(extrapolate=other, **OVER))
    done = {e.task: e.reused for e in again.events if isinstance(e, ev.TaskFinished)}
    assert done["neighbors-s0"] and not done["extrapolate-s0"]


def test_the_nets_class_probabilities_cost_no_pass(player: Player, make_spec: Make) -> None:
    """They come from the sealed head; ridge with them is another prediction than without."""
    asked = {"name": "ridge", "penalty": 0.1, "use_labels": False}
    one = player.play(make_spec(extrapolate=asked, **OVER))
    two = player.play(make_spec(extrapolate={**asked, "use_predictions": True}, **OVER))
    first, second = one.table(0)["el2n_predicted"], two.table(0)["el2n_predicted"]
    known = ~np.isnan(first)
    assert not np.allclose(first[known], second[known])
    passes = [
        next(r for r in s.summary["cost"]["by_rate"] if r["method"] == "ridge")["saving_passes"]
        for s in (one, two)
    ]
    assert passes[0] == passes[1]


def test_a_combination_is_made_of_its_methods_versions(
    player: Player, make_spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(extrapolate={"name": "auto", "methods": ["ridge", "knn"]}, **OVER)
    first = player.play(spec)
    assert not any(e.key.startswith("extrapolate") and e.reused for e in _finished(first))
    assert all(e.reused for e in _finished(player.play(spec)))
    known = registry.Description.version.fget
    assert known is not None

    def version(about: registry.Description) -> str:  # as if ridge had been changed
        return "new" if about.name == "ridge" else known(about)

    monkeypatch.setattr(registry.Description, "version", property(version))
    again = {e.task: e.reused for e in _finished(player.play(spec))}
    assert again["score-s0"] and not again["extrapolate-s0"]


def _finished(story: Story) -> list[ev.TaskFinished]:
    return [e for e in story.events if isinstance(e, ev.TaskFinished)]
