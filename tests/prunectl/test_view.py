"""The reducer, against journals written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from run_samples import PLAN

from core import events as ev
from core.journal import Record
from core.replay import CompactSeries
from prunectl.view import DONE, REUSED, RUNNING, WAITING, View, apply

SCORE, RETRAIN = "score-s0", "retrain-s0-knn-top_k-r0.5000"
STARTED = ev.RunStarted("abcd-small", {"train": {"epochs": "12ep"}}, "host", "cpu", 2, {}, "fp32")


def replay(*events: ev.Event, every: float = 1.0, view: View | None = None) -> View:
    """The view after events that are ``every`` seconds apart, from second 0."""
    view = view or View()
    for index, event in enumerate(events):
        apply(view, Record(index, index * every, event))
    return view


def test_nothing_happened_yet() -> None:
    view = View()
    assert view.status == "queued"
    assert view.share == 0.0
    assert view.stages() == []
    assert view.seconds_left(0.0) is None


def test_stages_come_in_the_order_of_the_plan_and_count_passes() -> None:
    view = replay(
        STARTED, ev.Plan(PLAN), ev.TaskFinished("subset-s0", "k", True),
        ev.TaskStarted(SCORE, "score", 0), ev.Progress(SCORE, 6, 12, "steps"),
    )  # fmt: skip
    assert [s.stage for s in view.stages()] == ["subset", "score", "retrain"]
    assert [s.finished for s in view.stages()] == [1, 0, 0]
    assert [s.reused for s in view.stages()] == [1, 0, 0]
    assert [s.share for s in view.stages()] == [1.0, 0.5, 0.0]
    assert view.share == 500 / 4000
    assert view.running is view.tasks[SCORE]
    assert view.epoch_of(view.tasks[SCORE]) == (7, 12)


def test_time_in_the_queue_is_not_work() -> None:
    waiting = ev.Message("info", "queued behind wxyz-other")
    view = replay(STARTED, ev.Plan(PLAN), waiting)
    assert view.work_began is None
    replay(*_session(waiting, ev.TaskStarted(SCORE, "score", 0)), view=view)
    assert view.work_began == 3.0


def test_epoch_is_unknown_where_the_recipe_counts_steps() -> None:
    view = replay(ev.RunStarted("r", {"train": {"epochs": "2000st"}}, "h", "cpu", 1, {}))
    replay(ev.Plan(PLAN), ev.Progress(SCORE, 500, 2000, "steps"), view=view)
    assert view.epoch_of(view.tasks[SCORE]) is None


def test_time_left_is_judged_by_work_of_this_session_only() -> None:
    view = replay(
        STARTED, ev.Plan(PLAN), ev.TaskFinished("subset-s0", "k", False),
        ev.TaskStarted(SCORE, "score", 0),  # second 3
        ev.Progress(SCORE, 12, 12, "steps"), ev.TaskFinished(SCORE, "k", False),  # second 5
    )  # fmt: skip
    assert view.seconds_left(5.0) == pytest.approx(3000 * 2 / 1000)  # 1000 passes took 2 s
    reused = replay(STARTED, ev.Plan(PLAN), ev.TaskFinished(SCORE, "k", True))
    assert reused.seconds_left(9.0) is None  # found work says nothing about speed


def test_time_left_after_a_resumption_does_not_count_what_was_done_before() -> None:
    view = replay(
        STARTED, ev.Plan(PLAN), ev.TaskStarted(SCORE, "score", 0), ev.Resumed(SCORE, 6),
        ev.Progress(SCORE, 6, 12, "steps"), ev.Progress(SCORE, 9, 12, "steps"),
    )  # fmt: skip
    # a quarter of 1,000 passes since second 2; 250 + 3,000 are left at second 7
    assert view.seconds_left(7.0) == pytest.approx(3250 * 5 / 250)


def test_points_beyond_a_resumption_are_void() -> None:
    points = ev.Points(SCORE, "train/loss", [1, 2, 3], [1, 2, 3], [0.9, 0.8, 0.7])
    view = replay(STARTED, ev.Plan(PLAN), points, ev.Resumed(SCORE, 2))
    assert view.curves[SCORE]["train/loss"].step == [1, 2]
    assert view.latest(SCORE, "train/loss") == 0.8
    assert view.latest(SCORE, "test/accuracy") is None


def test_a_time_axis_knows_when_each_step_was_heard_of() -> None:
    def points(*steps: int) -> ev.Points:
        return ev.Points(SCORE, "train/loss", steps, steps, [0.5] * len(steps))

    view = replay(STARTED, ev.Plan(PLAN), ev.TaskStarted(SCORE, "score", 0), points(1, 4),
                  points(9), ev.Resumed(SCORE, 4), points(5, 7))  # fmt: skip
    assert view.marks[SCORE].step == [0, 4, 7]
    assert view.marks[SCORE].ts == [2.0, 3.0, 6.0]


def test_curves_may_be_kept_in_arrays() -> None:
    points = ev.Points(SCORE, "train/loss", [1, 2, 3], [1, 2, 3], [0.9, 0.8, None])
    view = View(series=CompactSeries)
    replay(STARTED, ev.Plan(PLAN), points, view=view)
    curve = view.curves[SCORE]["train/loss"]
    assert isinstance(curve, CompactSeries)
    assert view.latest(SCORE, "train/loss") is None  # not NaN
    replay(ev.Resumed(SCORE, 2), view=view)
    assert list(curve.step) == [1, 2]
    assert view.latest(SCORE, "train/loss") == 0.8


def _session(*more: ev.Event) -> Sequence[ev.Event]:
    return (STARTED, ev.Plan(PLAN), *more)


def test_a_second_session_starts_clean_but_keeps_what_is_done() -> None:
    failed = ev.TaskFailed(RETRAIN, "diverged", "the loss is NaN", "lower the rate")
    first = _session(
        ev.TaskFinished(SCORE, "k", False, {"seconds": 2.0}), ev.TaskStarted(RETRAIN, "retrain", 0),
        failed, ev.Message("error", "the loss is NaN; lower the rate"),
        ev.RunFinished("failed", "diverged"),
    )  # fmt: skip
    view = replay(*first)
    assert (view.status, view.reason) == ("failed", "diverged")
    assert view.errors == ["the loss is NaN; lower the rate"]  # said twice, noted once
    assert view.stages()[-1].failed is not None
    replay(*_session(ev.TaskFinished(SCORE, "k", True, {"seconds": 2.0})), view=view)
    assert (view.status, view.reason, view.sessions, view.errors) == ("running", None, 2, [])
    assert view.tasks[SCORE].status == DONE  # this run's own work, not found work
    assert view.tasks[RETRAIN].status == WAITING
    assert view.tasks["subset-s0"].status == WAITING


def test_work_found_done_in_the_first_session_is_reused() -> None:
    view = replay(*_session(ev.TaskFinished(SCORE, "k", True)))
    assert view.tasks[SCORE].status == REUSED


def test_a_stop_leaves_nothing_running() -> None:
    view = replay(*_session(ev.TaskStarted(SCORE, "score", 0), ev.RunFinished("stopped")))
    assert view.running is None
    assert view.first_task_began  # it did begin, whatever came of it
    assert not replay(*_session()).first_task_began
    running = replay(*_session(ev.TaskStarted(SCORE, "score", 0)))
    assert running.tasks[SCORE].status == RUNNING


def test_progress_before_the_plan_is_of_the_data() -> None:
    said = ev.Progress("data", 10, 50, "samples")
    view = replay(said)
    assert view.preparing == said
    assert view.preparing_from is not None
    later = replay(ev.Progress("data", 30, 50, "samples"), view=view)
    assert later.preparing_from is not None and later.preparing_from[1] == 10
    assert replay(ev.Plan(PLAN), view=view).preparing is None


def test_a_repeated_candidate_replaces_the_first() -> None:
    one = ev.Extrapolated(0, "du", "knn", {"k": 5}, 0.3, False)
    two = ev.Extrapolated(0, "du", "knn", {"k": 10}, 0.4, True)
    view = replay(one, two, one, two)
    assert view.extrapolated == [one, two]


def test_events_of_tasks_nobody_planned_do_not_raise() -> None:
    view = replay(
        ev.TaskStarted("x-1", "x", 0), ev.TaskFinished("y-1", "k", False),
        ev.TaskFailed("z-1", "failed", "what"), ev.Resumed("z-1", 3), ev.Checkpoint("z-1", 3),
        ev.TrialFinished("t", {"test_accuracy": None}),
    )  # fmt: skip
    assert view.tasks["y-1"].stage == "y"
    assert view.metrics == {"t": {"test_accuracy": None}}
