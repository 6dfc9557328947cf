"""Every event becomes a line and comes back from it."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest

from core import events as ev

EXAMPLES = [
    ev.RunStarted("ab12-x", {"a": {"b": 1}}, "host", "cpu", 2, {"numpy": "2"}),
    ev.SweepStarted(
        "k3fa-x",
        {"axes": {"extrapolate.k": [5]}},
        [{"id": "00", "settings": {}}],
        "host",
        [{"device": "cpu", "slot": 0, "threads": 1}],
        {"torch": "2"},
    ),
    ev.CellFinished("00", "failed", "oom", "no memory", {"saving": None}),
    ev.Plan([{"task": "t", "needs": []}]),
    ev.TaskStarted("t", "score", 0),
    ev.Progress("t", 1, 2, "steps"),
    ev.Points("t", "train/loss", [1, 2], [0.1, 0.2], [3.0, None]),
    ev.Extrapolated(0, "el2n", "knn", {"k": 5}, None, True),
    ev.TaskFinished("t", "score-0", False, {"seconds": 1.5}),
    ev.TaskFailed("t", "oom", "no memory", "smaller batch"),
    ev.TrialFinished("s0-x", {"test_accuracy": 0.5}),
    ev.Checkpoint("t", 3),
    ev.Resumed("t", 3),
    ev.Message("info", "a line\nwith a break and \u2028"),
    ev.RunFinished("failed", "oom"),
]


def test_every_type_is_among_the_examples() -> None:
    assert {type(e) for e in EXAMPLES} == set(ev.TYPES.values())
    assert [e.type for e in EXAMPLES] == list(ev.TYPES)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: e.type)
def test_an_event_comes_back_from_its_line(event: ev.Event) -> None:
    line = json.dumps({"type": event.type, **event.to_dict()}, allow_nan=False)
    assert ev.from_dict(json.loads(line)) == event
    assert "\n" not in line


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: e.type)
def test_fields_of_a_newer_writer_are_left_out(event: ev.Event) -> None:
    plain = {"type": event.type, **event.to_dict(), "new": [1]}
    assert ev.from_dict(plain) == event


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: e.type)
def test_a_field_of_another_shape_makes_no_event(event: ev.Event) -> None:
    plain = {"type": event.type, **event.to_dict()}
    for name in (f.name for f in fields(event)):
        assert ev.from_dict({**plain, name: {1: object()} if name != "params" else 3}) is None, name


def test_unknown_types_and_missing_fields_make_no_event() -> None:
    assert ev.from_dict({"type": "trumpet", "task": "t"}) is None
    assert ev.from_dict({"task": "t"}) is None
    assert ev.from_dict({"type": ["message"]}) is None
    assert ev.from_dict({"type": "message", "level": "info"}) is None
    uneven = {"type": "points", "task": "t", "series": "s", "step": [1], "epoch": [], "value": []}
    assert ev.from_dict(uneven) is None


def test_what_json_cannot_say_becomes_null() -> None:
    event = ev.Points("t", "train/loss", [1, 2, 3], [0, 0, 0], [math.nan, math.inf, 1.0])
    assert event.to_dict()["value"] == [None, None, 1.0]
    nested = ev.TaskFinished("t", "k", False, {"a": {"b": (-math.inf, 2)}})
    assert nested.to_dict()["cost"] == {"a": {"b": [None, 2]}}
