"""Curves: which points exist never depends on the clock."""

from __future__ import annotations

import json
import math

import torch

from core.training.curve import Curve


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_batches_of_a_series_are_half_a_second_apart_and_lose_nothing() -> None:
    clock, batches = Clock(), []
    curve = Curve(lambda *batch: batches.append((clock.now, *batch)), clock)
    for step in range(1, 101):
        clock.now = step * 0.02
        curve.add("train/loss", step, step / 10, torch.tensor(float(step)))
        curve.tick()
    curve.flush()
    times = [t for t, *_ in batches]
    assert all(later - sooner >= 0.5 for sooner, later in zip(times[:-2], times[1:-1], strict=True))
    assert len(batches) <= 6
    assert [s for _, _, steps, _, _ in batches for s in steps] == list(range(1, 101))
    assert [v for *_, values in batches for v in values] == [float(s) for s in range(1, 101)]


def test_series_are_apart_and_plain_numbers_mix_with_tensors() -> None:
    curve = Curve()
    curve.add("a", 1, 0.5, 2.0)
    curve.add("b", 1, 0.5, torch.tensor(3.5))
    curve.add("a", 2, 1.0, torch.tensor(4.0))
    curve.flush()
    assert curve.history == {
        "a": {"step": [1, 2], "epoch": [0.5, 1.0], "value": [2.0, 4.0]},
        "b": {"step": [1], "epoch": [0.5], "value": [3.5]},
    }
    json.dumps(curve.history, allow_nan=False)


def test_a_value_that_is_not_finite_is_a_gap() -> None:
    curve = Curve()
    for step, value in enumerate([1.0, math.nan, math.inf, 2.0]):
        curve.add("a", step, 0.0, value)
    curve.flush()
    assert curve.history["a"]["step"] == [0, 3]


def test_a_restored_history_continues_and_is_not_emitted_again() -> None:
    first, emitted = Curve(), []
    first.add("a", 1, 0.1, 1.0)
    first.flush()
    state = first.state_dict()
    first.add("a", 2, 0.2, 9.0)
    first.flush()
    second = Curve(lambda *batch: emitted.append(batch))
    second.load_state_dict(state)
    second.add("a", 2, 0.2, 2.0)
    second.flush()
    assert second.history["a"]["value"] == [1.0, 2.0]
    assert emitted == [("a", [2], [0.2], [2.0])]
