"""A sweep in MLflow: one parent, every distinct training once, exactly once after kills."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faults.sweep_story import SweepStory, projected, shown_of, wanted_of
from mlflow.tracking import MlflowClient
from test_shipping import DyingServer, Killed

from core import events as ev
from core.sinks import target
from core.sinks.conclusion import NOTE
from core.sinks.cursor import Cursor
from core.sinks.mlflow import MlflowServer
from core.sinks.nodes import PARENT
from core.sinks.sweep_shipping import SweepShipper

TOP_5, BALANCED_5 = "00-5-top_k", "01-5-class_balanced"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One runs folder, so that its store is made once."""
    return tmp_path_factory.mktemp("runs")


def address(runs: Path) -> str:
    return f"sqlite:///{target.database(runs)}"


def opened(story: SweepStory) -> SweepShipper:
    where = target.target_of(story.sweep)
    assert where is not None
    return SweepShipper(story.sweep, where)


def test_one_parent_and_every_distinct_training(tmp_path: Path) -> None:
    story = SweepStory(tmp_path)
    story.whole()
    nodes = projected(story.sweep).nodes
    # 4 cells with random, full and knn at one rate: knn once a cell, the others once for all
    kinds = [node.tags["kind"] for node in nodes.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"sweep": 1, "score": 1, "trial": 6}
    assert len(nodes) == 1 + sum(t.stage in ("score", "retrain") for t in story.tasks)
    assert {n.tags["sweep"] for n in nodes.values()} == {story.sweep.id}
    assert {n.tags["mlflow.source.git.commit"] for n in nodes.values()} == {"abc"}
    assert all(n.status == "FINISHED" for n in nodes.values())


def test_a_shared_child_has_the_params_that_fit_all_its_cells(tmp_path: Path) -> None:
    story = SweepStory(tmp_path)
    story.whole()
    nodes = projected(story.sweep).nodes
    full, own = nodes["s0-full-none-r0.0000"], nodes["s0-knn-top_k-r0.5000"]
    assert full.tags["cells"].split() == [cell.id for cell in story.cells]
    assert full.params["extrapolate.k"] == "none"
    assert full.params["prune.policy"] == "none"
    assert own.tags["cells"] == TOP_5
    assert (own.params["extrapolate.k"], own.params["policy"]) == ("5", "top_k")
    others = [n for n in nodes.values() if n.tags.get("trial") == own.tags["trial"]]
    assert {n.params["extrapolate.k"] for n in others} == {"5", "10"}
    assert nodes[PARENT].params["extrapolate.k"] == "[5, 10]"
    assert nodes[PARENT].params["data.name"] == "digits"


def test_every_cells_correlation_is_with_its_own_trials(tmp_path: Path) -> None:
    story = SweepStory(tmp_path)
    story.whole()
    nodes = projected(story.sweep).nodes.values()
    own = {n.params["extrapolate.k"]: n for n in nodes if n.params.get("method") == "knn"}
    told = {k: n.values["extrapolation/spearman"].value for k, n in own.items()}
    assert told == {"5": 0.05, "10": 0.1}
    score = next(n for n in nodes if n.tags["kind"] == "score")
    assert "extrapolation/spearman" not in score.values  # two methods predict its scores
    assert own["5"].values["cost/seconds"].value == 12.0  # its whole loop, 2 s a task
    assert own["5"].values["cost/saving"].value == pytest.approx(1 - 12 / 40)


def test_the_parent_says_what_the_cells_gave(tmp_path: Path) -> None:
    story = SweepStory(tmp_path)
    story.whole()
    parent = projected(story.sweep).nodes[PARENT]
    values = {key: point.value for key, point in parent.values.items()}
    assert values == {"cells/finished": 4.0, "saving": pytest.approx(0.8)}
    lines = parent.tags[NOTE].splitlines()
    assert lines[0].startswith("| cell | method | rate |")
    assert [line.split("|")[1].strip() for line in lines[2:]] == [c.id for c in story.cells]


def test_a_failed_cell_is_a_tag_until_it_is_retried(tmp_path: Path) -> None:
    story = SweepStory(tmp_path)
    story.begin()
    story.end("failed", failed=BALANCED_5)
    parent = projected(story.sweep).nodes[PARENT]
    assert parent.status == "FAILED"
    assert parent.tags[f"cell.{BALANCED_5}"] == "oom: no room"
    assert "saving" not in parent.values
    story.begin()
    story.end()
    parent = projected(story.sweep).nodes[PARENT]
    assert parent.status == "FINISHED"
    assert f"cell.{BALANCED_5}" not in parent.tags


def test_all_of_a_sweep_arrives_with_its_files(runs: Path) -> None:
    story = SweepStory(runs)
    story.whole()
    shipper = opened(story)
    shipper.look()
    shipper.ship(MlflowServer)
    assert shipper.settled
    assert target.sending(story.sweep).complete
    assert shown_of(address(runs), story.sweep) == wanted_of(story.sweep)
    client, nodes = MlflowClient(address(runs)), Cursor.load(story.sweep.path / "mlflow.json").nodes
    child = client.get_run(str(nodes["s0-knn-top_k-r0.5000"].run_id))
    assert child.data.tags["mlflow.parentRunId"] == nodes[PARENT].run_id
    kept = client.list_artifacts(child.info.run_id, "kept")
    assert [a.path for a in kept] == ["kept/s0-knn-top_k-r0.5000.npy"]
    top = {a.path for a in client.list_artifacts(str(nodes[PARENT].run_id))}
    assert top == {"sweep.yaml", "cells"}
    summary = story.sweep.cell(TOP_5).summary()
    assert summary is not None and summary["mlflow"]["run_id"] == nodes[PARENT].run_id
    assert story.sweep in target.tracked_runs(runs)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_nothing_is_lost_or_doubled(runs: Path, seed: int) -> None:
    draw = random.Random(seed)
    story = SweepStory(runs, ("prune.policy=top_k,class_balanced", "extrapolate.k=5"))
    deaths = 0

    def attempt(often: float) -> bool:
        shipper = opened(story)  # nothing but the disk is left of the one before
        shipper.look()
        try:
            shipper.ship(lambda uri: DyingServer(uri, draw, often))
        except Killed:
            return False
        return shipper.settled

    story.begin()
    shared = story.task("retrain-s0-full")
    for task in story.tasks:
        if task is not shared:
            story.do(task)
    story.train(shared, 1, 8)
    for _ in range(4):
        deaths += not attempt(0.2)
    story.die()  # the supervisor and the shipper, in either order
    deaths += not attempt(0.2)
    story.begin()
    story.say(ev.Resumed(shared.id, 4), shared)
    story.do(shared, 5)
    story.end()
    while not attempt(0.04):
        deaths += 1
        assert deaths < 200
    assert deaths > 2
    assert shown_of(address(runs), story.sweep) == wanted_of(story.sweep)
