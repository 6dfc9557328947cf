"""The reduction of a journal: what two equal runs share, however they were interrupted."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from core import events as ev
from core.journal import Record
from core.replay import reduce


def points(task: str, steps: range, series: str = "train/loss") -> ev.Points:
    """A made-up curve: its value depends on nothing but the step."""
    return ev.Points(task, series, list(steps), [s / 10 for s in steps], [s * 0.5 for s in steps])


def undisturbed() -> list[ev.Event]:
    return [
        ev.RunStarted("ab12-x", {}, "host", "cpu", 1, {}),
        ev.Plan([{"task": "a"}, {"task": "b"}]),
        ev.TaskStarted("a", "score", 0),
        points("a", range(0, 20)),
        points("a", range(0, 20, 10), "test/accuracy"),
        ev.Checkpoint("a", 20),
        ev.TaskFinished("a", "score-1", False, {"seconds": 9.0}),
        ev.Extrapolated(0, "el2n", "knn", {"k": 5, "weights": "mean"}, 0.5, True),
        ev.Extrapolated(0, "el2n", "knn", {"k": 10, "weights": "mean"}, 0.4, False),
        ev.TaskStarted("b", "retrain", 0),
        points("b", range(0, 10)),
        ev.TaskFinished("b", "retrain-1", False, {"seconds": 5.0}),
        ev.TrialFinished("s0-knn", {"test_accuracy": 0.75}),
        ev.RunFinished("finished"),
    ]


def resumed() -> list[ev.Event]:
    """The same run, killed in the middle of task a, then stopped in task b, each time resumed."""
    start, plan = undisturbed()[:2]
    rest = undisturbed()[8:]
    return [
        start, plan,
        ev.TaskStarted("a", "score", 0),
        points("a", range(0, 8)),
        points("a", range(0, 1), "test/accuracy"),
        ev.Checkpoint("a", 5),
        ev.Progress("a", 8, 20, "steps"),
        points("a", range(8, 13)),
        ev.Points("a", "device/memory_bytes", [12], [0.0], [1e6]),
        start, plan,
        ev.Message("warning", "the checkpoint is from step 5"),
        ev.TaskStarted("a", "score", 0),
        ev.Resumed("a", 5),
        points("a", range(6, 20)),
        points("a", range(10, 20, 10), "test/accuracy"),
        ev.TaskFinished("a", "score-1", False, {"seconds": 11.0}),
        undisturbed()[7],
        ev.TaskStarted("b", "retrain", 0),
        points("b", range(0, 4)),
        ev.RunFinished("stopped", "stopped"),
        start, plan,
        ev.TaskFinished("a", "score-1", True, {"seconds": 11.0}),
        undisturbed()[7],
        undisturbed()[8],
        ev.TaskStarted("b", "retrain", 0),
        ev.Resumed("b", 0),
        points("b", range(1, 10)),
        *rest[3:],
    ]  # fmt: skip


def records(events: list[ev.Event], start: int = 0) -> list[Record]:
    return [Record(start + i, 1000.0 + i, e) for i, e in enumerate(events)]


def test_a_resumed_run_amounts_to_an_undisturbed_one() -> None:
    first = reduce(records(undisturbed()))
    assert reduce(records(resumed(), start=100)) == first
    assert first["points"]["a"]["train/loss"] == (
        list(range(20)), [s / 10 for s in range(20)], [s * 0.5 for s in range(20)],
    )  # fmt: skip
    assert first["keys"] == {"a": "score-1", "b": "retrain-1"}
    assert first["metrics"] == {"s0-knn": {"test_accuracy": 0.75}}
    assert first["finished"] == ("finished", None)
    assert len(first["extrapolated"]) == 2
    assert first["plan"] == [{"task": "a"}, {"task": "b"}]


def test_without_the_resumption_it_would_differ() -> None:
    doubled = [e for e in resumed() if not isinstance(e, ev.Resumed)]
    assert reduce(records(doubled)) != reduce(records(undisturbed()))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: replace(e, value=[*e.value[:-1], 0.1]) if isinstance(e, ev.Points) else e,
        lambda e: replace(e, step=[*e.step[:-1], 99]) if isinstance(e, ev.Points) else e,
        lambda e: replace(e, key="score-2") if isinstance(e, ev.TaskFinished) else e,
        lambda e: replace(e, metrics={}) if isinstance(e, ev.TrialFinished) else e,
        lambda e: replace(e, heldout=0.1) if isinstance(e, ev.Extrapolated) else e,
        lambda e: replace(e, chosen=not e.chosen) if isinstance(e, ev.Extrapolated) else e,
        lambda e: replace(e, tasks=[{"task": "a"}]) if isinstance(e, ev.Plan) else e,
        lambda e: replace(e, status="failed") if isinstance(e, ev.RunFinished) else e,
    ],
)
def test_every_part_of_a_result_counts(change) -> None:  # type: ignore[no-untyped-def]  # lambdas of every kind
    changed = [change(e) for e in undisturbed()]
    assert reduce(records(changed)) != reduce(records(undisturbed()))


@pytest.mark.parametrize(
    "extra",
    [
        ev.Progress("a", 1, 2, "steps"),
        ev.Checkpoint("a", 3),
        ev.Message("info", "hello"),
        ev.Points("a", "device/utilisation", [3], [0.0], [0.5]),
        ev.TaskStarted("a", "score", 0),
        ev.RunStarted("ab12-x", {}, "elsewhere", "cpu", 2, {}),
        ev.TaskFinished("a", "score-1", True, {"seconds": 1.0}),
    ],
    ids=lambda e: e.type,
)
def test_what_the_machine_says_does_not_count(extra: ev.Event) -> None:
    events = undisturbed()
    events.insert(8, extra)
    assert reduce(records(events)) == reduce(records(undisturbed()))


def test_only_the_last_end_counts() -> None:
    events = [*undisturbed()[:-1], ev.RunFinished("stopped", "stopped"), ev.RunFinished("finished")]
    assert reduce(records(events)) == reduce(records(undisturbed()))
    assert reduce([])["finished"] is None


def test_any_number_of_kills_at_any_step_gives_the_same_curve() -> None:
    rng = random.Random(0)
    whole = reduce(records([points("a", range(0, 60))]))
    for _ in range(200):
        events: list[ev.Event] = []
        safe = done = 0  # steps in a checkpoint, steps in the journal
        while done < 60:
            stop = min(60, done + rng.randrange(1, 15))
            events.append(points("a", range(done, stop)))
            done = stop
            if rng.random() < 0.5:
                safe = done
            elif rng.random() < 0.5 and done < 60:
                # the points of steps 0 .. safe-1 are in the checkpoint
                events.append(ev.Resumed("a", safe - 1 if safe else -1))
                done = safe
        assert reduce(records(events)) == whole


def test_pieces_may_be_cut_anywhere() -> None:
    pieces = [points("a", range(i, i + 1)) for i in range(20)]
    assert reduce(records(pieces)) == reduce(records([points("a", range(0, 20))]))


def test_a_reduction_is_comparable_after_a_trip_through_json() -> None:
    """Lists from a file equal the tuples and lists of a run in memory."""
    back = [
        Record(r.seq, r.ts, event)
        for r in records(undisturbed())
        if (event := ev.from_dict(json.loads(json.dumps(
            {"type": r.event.type, **r.event.to_dict()}
        ))))
    ]  # fmt: skip
    assert reduce(back) == reduce(records(undisturbed()))
