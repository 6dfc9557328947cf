"""Cross-fitted nets: who sees what, what is paid, and what the figure made of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from play import Player, Story

from core import events as ev
from core.errors import UserError
from core.facts import DataFacts
from core.metrics import spearman
from core.plan.build import build_graph
from core.span import moments
from core.spec import Spec
from core.stages.base import load
from core.stages.crossfit import fold_of, joined

Make = Callable[..., Spec]
FACTS = DataFacts(1258, 539, 10, "f")
OVER: dict[str, Any] = {
    "score": {"cross_fit": 3, "also": ["loss"]}, "extrapolate": {"name": "dynamics", "trees": 20},
    "retrain": {"epochs": "1ep"}, "prune": {"rates": [0.8]}, "baselines": ["random"],
}  # fmt: skip


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("crossfit") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def story(player: Player, make_spec: Make) -> Story:
    """Stopped after the first fold, then gone on with."""
    stopped = player.play(make_spec(**OVER), tasks=4)
    assert stopped.summary["status"] == "stopped"
    return player.play(make_spec(**OVER))


def test_every_scored_sample_is_watched_by_the_one_net_that_left_it_out(story: Story) -> None:
    seals = _folds(story)
    subset = set(np.flatnonzero(story.table(0)["source"] == "scored"))
    watched = [set(load(s.path / "ids.npy")) for s in seals]
    assert set.intersection(*watched) == set(range(1258)) - subset
    for one in subset:
        assert sum(one in ids for ids in watched) == 1
    tables = [load(s.path / "dynamics.npy") for s in seals]
    assert all(t.shape == (len(w), 3, 3) for t, w in zip(tables, watched, strict=True))
    assert len({s.meta["weights_sha256"] for s in seals}) == 3  # nets of their own
    for table in tables:
        assert (table[..., 0] >= 0).all() and (table[..., 0] <= 1).all()
        assert (np.abs(table[..., 1]) <= 1).all() and (table[..., 2] <= np.log(10) + 1e-5).all()
        assert table[:, -1, 0].mean() > table[:, 0, 0].mean()  # it learns


def test_the_folds_have_rows_of_their_own_and_the_method_pays_for_them(story: Story) -> None:
    rows = {r["task"]: r for r in story.summary["cost"]["stages"]}
    for task in story.graph.tasks:
        if task.stage == "crossfit":
            assert rows[task.id]["sample_passes"] == task.passes
    # 252 scored samples, 84 in a fold: 3 epochs on 168, then 3 looks at the other 1,090
    assert rows["crossfit-s0-fold1"]["sample_passes"] == 3 * 168 + 3 * (1258 - 168)
    own = next(r for r in story.summary["cost"]["by_rate"] if r["method"] == "dynamics")
    chance = next(r for r in story.summary["cost"]["by_rate"] if r["method"] == "random")
    before = ("score-s0", "embed-s0", *(f"crossfit-s0-fold{i}" for i in range(3)))
    paid = sum(rows[name]["sample_passes"] for name in before)
    assert own["loop_passes"] - chance["loop_passes"] == paid


def test_the_cross_fitted_figure_is_of_those_nets_alone(story: Story) -> None:
    seal = story.store.require(
        next(e.key for e in story.events if isinstance(e, ev.TaskFinished) and "extrap" in e.task)
    )
    fold, predicted = load(seal.path / "fold.npy"), load(seal.path / "crossfit.npy")
    for column, name in enumerate(("el2n", "loss")):
        figure = story.agreement(0, name)["crossfit"]
        truth = story.table(0)[name][fold]
        assert figure["spearman"] == pytest.approx(spearman(predicted[:, column], truth))
        assert figure["n"] == len(fold) == 50 and figure["spearman"] > 0.5
        assert figure["spearman"] == story.agreement(0, name)["heldout"]["spearman"]


def test_methods_share_the_folds_and_may_join_embeddings(
    player: Player, story: Story, make_spec: Make
) -> None:
    joint = {"name": "dynamics", "kind": "ridge", "penalty": 0.01, "use_embeddings": True}
    several = {"name": "auto", "methods": ["ridge", "dynamics"]}
    for extrapolate, same in ((joint, False), (several, True)):
        found = player.play(make_spec(**{**OVER, "extrapolate": extrapolate}))
        done = {e.task: e for e in found.events if isinstance(e, ev.TaskFinished)}
        assert all(done[f"crossfit-s0-fold{i}"].reused for i in range(3))
        row = found.agreement(0, "el2n")
        # of what the scored samples cannot judge, auto takes nothing: only the dynamics are left
        assert (row["crossfit"]["spearman"] == row["heldout"]["spearman"]) == same


def test_a_resumed_run_has_the_bits_of_an_undisturbed_one(
    story: Story, make_spec: Make, tmp_path: Any
) -> None:
    alone = Player(tmp_path / "runs").play(make_spec(**OVER))
    for ours, theirs in zip(_folds(story), _folds(alone), strict=True):
        assert ours.key == theirs.key
        for name in ("dynamics.npy", "ids.npy"):
            np.testing.assert_array_equal(load(ours.path / name), load(theirs.path / name))
    np.testing.assert_array_equal(story.table(0)["el2n"], alone.table(0)["el2n"])


def test_features_are_those_of_the_unseeing_net_or_the_mean_by_hand() -> None:
    first = np.array([[[0.2, 0.0, 1.0], [0.4, 0.2, 0.0]], [[1, 1, 0], [1, 1, 0]]], np.float32)
    second = np.array([[[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]], [[0, 0, 2], [0, 0, 2]]], np.float32)
    found = joined([(np.array([0, 2]), first), (np.array([1, 2]), second)], 3)
    one = [0.2, 0.0, 1.0, 0.4, 0.2, 0.0, 0.3, 0.1, 0.5, 0.1, 0.1, 0.5]
    np.testing.assert_allclose(found[0], one, atol=1e-6)
    np.testing.assert_allclose(found[1], [0.5] * 9 + [0.0] * 3, atol=1e-6)
    np.testing.assert_allclose(found[2], [0.5, 0.5, 1.0] * 3 + [0.0] * 3, atol=1e-6)
    with pytest.raises(ValueError, match="1 samples were watched by no net"):
        joined([(np.array([0, 2]), first)], 3)


def test_folds_and_moments() -> None:
    sizes = np.bincount(fold_of(11, 3, 5))
    assert sizes.tolist() == [4, 4, 3]
    assert not np.array_equal(fold_of(11, 3, 5), fold_of(11, 3, 6))
    assert moments(30) == (5, 11, 17, 23, 29)
    assert moments(3) == (0, 1, 2) and moments(1) == (0,) and moments(0) == ()


def test_nets_are_planned_only_for_who_reads_them(make_spec: Make) -> None:
    planned = build_graph([(make_spec(**OVER), FACTS)])
    assert [t.id for t in planned.tasks if t.stage == "crossfit"] == [
        f"crossfit-s0-fold{i}" for i in range(3)
    ]
    knn = make_spec(**{**OVER, "extrapolate": {"name": "knn"}})
    both = build_graph([(make_spec(**OVER), FACTS), (knn, FACTS)])
    assert {t.cells for t in both.tasks if t.stage == "crossfit"} == {(0,)}
    few = make_spec(**{**OVER, "subset": {"fraction": None, "n": 12}, "score": {"cross_fit": 7}})
    with pytest.raises(UserError, match="7 folds of 12 scored samples"):
        build_graph([(few, FACTS)])
    short = make_spec(
        **{**OVER, "train": {"epochs": "2st"}, "score": {"preset": "ccs", "cross_fit": 3}}
    )
    with pytest.raises(UserError, match="2st is less than an epoch of 168 samples"):
        build_graph([(short, FACTS)])


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"extrapolate": {"name": "dynamics"}}, "score.cross_fit: the extrapolator dynamics"),
        ({"extrapolate": {"name": "auto", "methods": ["dynamics"]}}, "set it to 2 or more"),
        ({"score": {"cross_fit": 1}}, "score.cross_fit: one fold leaves nothing to train on"),
        ({"score": {"cross_fit": 50}}, "score.cross_fit: input should be less than or equal to 20"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make_spec: Make, over: Any, said: str) -> None:
    with pytest.raises(UserError) as error:
        make_spec(**over)
    assert said in str(error.value) and "\n" not in str(error.value)


def _folds(story: Story) -> list[Any]:
    done = {e.task: e.key for e in story.events if isinstance(e, ev.TaskFinished)}
    return [story.store.require(done[f"crossfit-s0-fold{i}"]) for i in range(3)]
