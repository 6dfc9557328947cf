"""From a journal to the runs MLflow should show: pure, so every case is a few lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from faults.tracking import EPOCHS, STEPS, Story, loss_at, summary_of

from core import events as ev
from core.journal import Record, read
from core.plan.tasks import Task
from core.sinks import names
from core.sinks.conclusion import NOTE
from core.sinks.nodes import EpochCurve, Node
from core.sinks.projection import Projection


def project(story: Story) -> Projection:
    found = Projection()
    found.feed(read(story.run.journal))
    return found


def means(task: Task) -> list[tuple[int, float]]:
    """The loss by epoch, written out."""
    found = []
    for epoch in range(1, EPOCHS + 1):
        steps = range((epoch - 1) * STEPS + 1, epoch * STEPS + 1)
        found.append((epoch, sum(loss_at(task.id, s) for s in steps) / STEPS))
    return found


def curve(node: Node, key: str) -> list[tuple[int, float]]:
    return [(p.step, p.value) for p in node.metrics().get(key, [])]


def test_one_parent_its_trials_and_its_scoring_runs(tmp_path: Path) -> None:
    story = Story(tmp_path, seeds=[0, 1])
    story.whole()
    nodes = project(story).nodes
    trials = {t.trial.id for t in story.tasks if t.stage == "retrain" and t.trial}
    assert set(nodes) == {"run", "score-s0", "score-s1"} | trials
    assert {n.tags["kind"] for n in nodes.values()} == {"run", "trial", "score"}
    assert all(n.status == "FINISHED" for n in nodes.values())


def test_a_trial_carries_all_params_and_the_numbers_to_scatter(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.whole()
    projection = project(story)
    node = projection.nodes["s0-knn-top_k-r0.5000"]
    assert node.params == {
        "dataset": "digits", "paradigm": "supervised", "model": "linear", "score": "el2n",
        "extrapolator": "knn", "method": "knn", "policy": "top_k", "prune_rate": "0.5",
        "subset_fraction": "0.2", "seed": "0",
    }  # fmt: skip
    values = {key: point.value for key, point in node.values.items()}
    assert values == {
        "prune/rate": 0.5, "subset/fraction": 0.2, "final/test_accuracy": 0.75,
        "extrapolation/spearman": 0.5,
        "cost/seconds": 12.0,  # subset, score, embed, extrapolate, prune, retrain: 2 s each
        "cost/sample_passes": 60.0, "cost/training_seconds": 2.0,
    }  # fmt: skip
    assert node.tags["version.torch"] == "2.0"
    assert node.tags["host"] == "here"


def test_what_a_method_does_not_use_is_none(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.whole()
    nodes = project(story).nodes
    random, full = nodes["s0-random-random-r0.5000"], nodes["s0-full-none-r0.0000"]
    assert (random.params["score"], random.params["extrapolator"]) == ("none", "none")
    assert (full.params["policy"], full.params["prune_rate"]) == ("none", "0")
    assert full.values["cost/seconds"].value == 2.0
    assert "extrapolation/spearman" not in random.values


def test_curves_are_means_by_epoch(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.whole()
    task = story.task("retrain-s0-knn")
    node = project(story).nodes["s0-knn-top_k-r0.5000"]
    assert curve(node, "train/loss") == means(task)
    assert curve(node, "test/accuracy") == [(e, e * STEPS / 100) for e in range(1, EPOCHS + 1)]


def test_an_epoch_is_told_only_when_it_is_over(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.begin()
    task = story.task("score")
    story.train(task, 1, 2 * STEPS + 1)
    node = project(story).nodes["score-s0"]
    assert curve(node, "train/loss") == means(task)[:2]


def test_a_resumed_task_has_the_curve_of_an_undisturbed_one(tmp_path: Path) -> None:
    story, other = Story(tmp_path / "a"), Story(tmp_path / "b")
    task = story.task("score")
    story.begin()
    story.train(task, 1, 8)
    story.die()
    story.begin()
    story.say(ev.Resumed(task.id, 4))
    story.train(task, 5)
    story.finish(task)
    other.begin()
    other.train(task)
    other.finish(task)
    nodes, whole = project(story).nodes, project(other).nodes
    assert curve(nodes["score-s0"], "train/loss") == curve(whole["score-s0"], "train/loss")
    assert len(curve(nodes["score-s0"], "test/accuracy")) == EPOCHS


def test_the_pieces_in_which_a_journal_is_read_change_nothing(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.whole()
    slow = Projection()
    for record in read(story.run.journal):
        slow.feed([record])
        for node in slow.nodes.values():
            node.metrics()
    fast = project(story)
    assert {n: fast.nodes[n].metrics() for n in fast.nodes} == {
        n: slow.nodes[n].metrics() for n in slow.nodes
    }


@pytest.mark.parametrize(
    ("status", "reason", "shown"),
    [("stopped", "stopped", "KILLED"), ("failed", "diverged", "FAILED")],
)
def test_what_was_open_ends_as_the_run_does(
    tmp_path: Path, status: str, reason: str, shown: str
) -> None:
    story = Story(tmp_path)
    story.begin()
    story.do(story.task("score"))
    task = story.task("retrain-s0-full")
    story.say(ev.TaskStarted(task.id, "retrain", 0, task.trial and task.trial.id))
    story.end(status, reason)
    nodes = project(story).nodes
    assert {n: nodes[n].status for n in nodes} == {
        "run": shown, "score-s0": "FINISHED", "s0-full-none-r0.0000": shown,
    }  # fmt: skip
    assert nodes["run"].tags["reason"] == reason


def test_a_dead_worker_has_failed_and_a_resumed_run_runs_again(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.begin()
    story.train(story.task("score"), 1, 5)
    story.die()
    dead = project(story)
    dead.worker_died()
    assert {n.status for n in dead.nodes.values()} == {"FAILED"}
    assert dead.nodes["run"].tags["reason"] == "worker gone"
    story.begin()
    story.say(ev.Resumed("score-s0", 3))
    dead.feed(list(read(story.run.journal))[-3:])
    assert {n.status for n in dead.nodes.values()} == {"RUNNING"}
    assert "reason" not in dead.nodes["run"].tags


def test_a_failed_task_says_why(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.begin()
    story.train(story.task("score"), 1, 2)
    story.say(ev.TaskFailed("score-s0", "diverged", "the loss is not finite", "lower the rate"))
    story.end("failed", "diverged")
    node = project(story).nodes["score-s0"]
    assert (node.status, node.tags["what"]) == ("FAILED", "the loss is not finite")


def test_undefined_is_nan_with_a_tag_and_never_infinite() -> None:
    node = Node("x", "x", 0, {}, {})
    node.tell("final/a", None, 1)
    node.tell("final/b", math.inf, 1)
    assert all(math.isnan(p.value) for p in node.values.values())
    assert node.tags == {"undefined.final/a": "true", "undefined.final/b": "true"}


def test_a_gap_in_an_epoch_is_left_out_of_its_mean() -> None:
    curve = EpochCurve()
    curve.add(ev.Points("t", "train/loss", [1, 2, 3], [0.5, 1.0, 2.0], [4.0, None, None]), 7)
    first, second = curve.points()
    assert (first.step, first.value, second.step) == (1, 4.0, 2)
    assert math.isnan(second.value)


def test_the_last_epoch_of_a_run_in_steps_may_be_short() -> None:
    curve = EpochCurve()
    curve.add(ev.Points("t", "train/loss", [1, 2, 3], [0.5, 1.0, 1.5], [4.0, 2.0, 1.0]), 7)
    assert [p.step for p in curve.points()] == [1]
    curve.close()
    assert [(p.step, p.value) for p in curve.points()] == [(1, 3.0), (2, 1.0)]


def test_at_most_forty_keys_whatever_a_plugin_measures() -> None:
    projection = Projection()
    story = ev.RunStarted("r", {"prune": {"rates": [0.5]}}, "h", "cpu", 1, {})
    task = {"task": "score-s0", "stage": "score", "seed": 0, "trial": None, "needs": []}
    projection.feed([Record(0, 1.0, story), Record(1, 1.0, ev.Plan([task]))])
    for index in range(60):
        points = ev.Points("score-s0", f"test/m{index}", [1], [1.0], [0.5])
        projection.feed([Record(2, 1.0, points)])
    assert len(projection.nodes["score-s0"].metrics()) == names.MAX_METRIC_KEYS


def test_device_readings_are_not_sent(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.begin()
    story.say(ev.Points("score-s0", "device/memory_bytes", [1], [0.0], [5.0]))
    assert set(project(story).nodes) == {"run"}


def test_the_summary_adds_savings_datasets_and_a_table(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.whole()
    projection = project(story)
    summary = summary_of(story, "finished")
    projection.conclude(summary, lambda path: f"digest-of-{path}")
    projection.conclude(summary, lambda path: "never asked again")
    trial, parent = projection.nodes["s0-knn-top_k-r0.5000"], projection.nodes["run"]
    assert trial.values["cost/saving"].value == 1 - 12 / 40
    assert trial.values["extrapolation/spearman_full"].value == 0.125
    assert [d.context for d in trial.data] == ["training", "kept"]
    assert trial.data[0].digest == ("ab" * 32)[: names.MAX_DIGEST]
    assert trial.data[1].digest == "digest-of-kept/s0-knn-top_k-r0.5000.npy"[: names.MAX_DIGEST]
    assert [d.context for d in parent.data] == ["training"]
    assert parent.values["saving"].value == 0.6
    assert "| knn | 0.5 | test_accuracy | 0.7500 |  | 1 | +60.0% |" in parent.tags[NOTE]
    assert parent.params["train.batch"] == "64"


def test_a_stopped_run_has_no_savings_yet(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.begin()
    story.do(story.task("score"))
    story.end("stopped", "stopped")
    projection = project(story)
    projection.conclude(summary_of(story, "stopped"), lambda path: None)
    assert "saving" not in projection.nodes["run"].values
    assert projection.nodes["run"].data[0].name == "digits"


def test_names_of_children_differ_within_ten_characters(tmp_path: Path) -> None:
    baselines = ["random", "full", "true_random", "full_scores"]
    rates = {"rates": [0.1, 0.25, 0.5]}
    story = Story(tmp_path, baselines=baselines, reference="full", prune=rates, seeds=[0, 1])
    story.whole()
    found = [n.name[:10] for n in project(story).nodes.values() if n.tags["kind"] == "trial"]
    assert len(set(found)) == len(found)
