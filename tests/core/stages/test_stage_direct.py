"""The baseline ``direct``: the same net, watched on the samples it never saw; who pays."""

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
from core.plan.build import build_graph
from core.spec import Spec

Make = Callable[..., Spec]
OVER: dict[str, Any] = {
    "score": {"also": [{"name": "loss"}]}, "baselines": ["direct", "random"],
    "prune": {"rates": [0.8]}, "retrain": {"epochs": "1ep"},
}  # fmt: skip


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, make_spec: Make) -> Iterator[Story]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    player = Player(tmp_path_factory.mktemp("direct") / "runs")
    yield player.play(make_spec(**OVER))
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def _load(story: Story, stage: str, name: str) -> Any:
    return np.load(next(story.store.root.glob(f"{stage}-*")) / name)


def test_it_is_the_scoring_run_and_the_last_pass_is_the_sealed_nets(story: Story) -> None:
    ids, raw = _load(story, "subset", "ids.npy"), _load(story, "direct", "raw.npy")
    table = story.table(0)
    for column, name in enumerate(("el2n", "loss")):
        np.testing.assert_array_equal(raw[ids, column], table[name][ids])
    # the score `loss` is the cross entropy of the final net
    weights = torch.load(next(story.store.root.glob("net-*")) / "weights.pt", weights_only=True)
    embeddings = torch.from_numpy(_load(story, "embed", "embeddings.npy"))
    logits = embeddings @ weights["head.weight"].T + weights["head.bias"]
    targets = torch.from_numpy(np.asarray(story.dataset.train.targets))
    loss = torch.nn.functional.cross_entropy(logits, targets, reduction="none").numpy()
    unseen = np.setdiff1d(np.arange(len(raw)), ids)
    np.testing.assert_allclose(raw[unseen, 1], loss[unseen], rtol=1e-3, atol=1e-5)


def test_selection_reads_the_mapped_scores(story: Story) -> None:
    ids, scores = _load(story, "subset", "ids.npy"), _load(story, "direct", "scores.npy")
    raw = _load(story, "direct", "raw.npy")
    unseen = np.setdiff1d(np.arange(len(raw)), ids)
    assert (np.argsort(raw[unseen, 0]) == np.argsort(scores[unseen, 0])).mean() > 0.9
    medians = [np.median(scores[part, 0]) for part in (ids, unseen)]
    assert medians[0] == pytest.approx(medians[1], rel=0.05)
    trial = story.trials("direct")[0]
    kept = np.load(story.run.path / trial["kept_path"])
    assert scores[kept, 0].min() >= np.sort(scores[:, 0])[-len(kept)]


def test_it_pays_for_one_training_and_for_every_look(story: Story) -> None:
    rows = {r["task"]: r for r in story.summary["cost"]["stages"]}
    planned = story.graph["direct-s0"]
    assert rows["direct-s0"]["sample_passes"] == planned.passes
    # 3 epochs of 252 trained samples; el2n reads two epochs (0, 1), loss the last: 1,006 others
    assert planned.passes - rows["score-s0"]["sample_passes"] == 3 * 1006
    assert set(story.graph["prune-s0-direct-top_k-r0.8000"].needs) == {"subset-s0", "direct-s0"}


def test_of_several_nets_the_mean_is_taken_and_all_are_paid(story: Story, make_spec: Make) -> None:
    over = {**OVER, "score": {"also": [{"name": "loss"}], "nets": 2}}
    two = Player(story.run.path.parent).play(make_spec(**over))
    tasks = ["direct-s0", "direct-s0-net1"]
    assert two.graph["prune-s0-direct-top_k-r0.8000"].needs == ("subset-s0", *tasks)
    finished = {e.task: e for e in two.events if isinstance(e, ev.TaskFinished)}
    assert [finished[t].reused for t in tasks] == [True, False]  # the first net was known
    first, second = (np.load(two.store.root / finished[t].key / "raw.npy")[:, 0] for t in tasks)
    assert np.abs(first - second).max() > 1e-3
    mean = (first.astype(float) + second) / 2
    table, ids = two.table(0), _load(story, "subset", "ids.npy")
    np.testing.assert_allclose(table["el2n"][ids], mean[ids], rtol=1e-5)  # the scoring nets'
    # slow: outside the subset the mean's ranks, read off the subset's own quantiles
    scores, kept = mean.copy(), np.load(two.run.path / two.trials("direct")[0]["kept_path"])
    unseen = np.setdiff1d(np.arange(len(mean)), ids)
    place = (np.argsort(np.argsort(mean[unseen])) + 0.5) / len(unseen)
    scores[unseen] = np.quantile(mean[ids], place)
    best = np.argsort(-scores)[: len(kept)]
    assert len(np.intersect1d(kept, best)) > 0.97 * len(kept)
    of_one = np.load(story.run.path / story.trials("direct")[0]["kept_path"])
    assert len(np.setdiff1d(kept, of_one)) > 0.05 * len(kept)
    paid = [
        next(r for r in s.summary["cost"]["by_rate"] if r["method"] == "direct")["loop_passes"]
        for s in (story, two)
    ]
    assert paid[1] - paid[0] == two.graph[tasks[1]].passes > 0


def test_where_it_cannot_be(make_spec: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = DataFacts(1258, 539, 10, "f", n_labelled=600)
    with pytest.raises(UserError, match="658 samples have none"):
        build_graph([(make_spec(baselines=["direct"]), facts)])
    monkeypatch.setattr("core.plan.scoring.score_kind", lambda name: "embedded")
    with pytest.raises(UserError, match="scores every sample anyway"):
        build_graph([(make_spec(baselines=["direct"]), DataFacts(1258, 539, 10, "f"))])
