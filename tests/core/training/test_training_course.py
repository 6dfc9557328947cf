"""A training of so many seconds, on a clock that only the test moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import Stopped
from core.models.build import build_net
from core.paradigms.supervised import Supervised
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.course import TimedCourse
from core.training.feed import Feed
from core.training.infobatch import InfoBatch
from core.training.loop import train
from core.training.meter import Stopwatch
from core.training.rs2 import RepeatedRandom

CPU = torch.device("cpu")
STEPS, STEP = 16, 0.25
"""Steps expected, and what each takes where nothing else is said."""


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Stopping(Control):
    """Stops before the given step."""

    def __init__(self, stop: int | None) -> None:
        self.stop, self.told = stop, [(0, 0)]

    def should_stop(self) -> bool:
        if self.stop is not None:
            self.stop -= 1
        return self.stop is not None and self.stop < 0

    def progress(self, step: int, total: int) -> None:
        self.told.append((step, total))


class Slow(Supervised):
    """A step takes ``takes`` seconds, an evaluation a minute."""

    def __init__(self, clock: Clock, takes: float) -> None:
        super().__init__()
        self.clock, self.takes = clock, takes

    def after_step(self, net: Any) -> None:
        self.clock.now += self.takes

    def evaluate(self, net: Any, test: Any) -> Any:
        self.clock.now += 60
        return super().evaluate(net, test)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("core.training.meter.perf_counter", made)
    return made


@pytest.fixture
def go(make_bank: Any, compute: Any, recipe: Any, convnet: Any, clock: Clock) -> Any:
    bank, test = make_bank(70), make_bank(20, seed=1)
    settings = recipe(
        epochs="6ep", batch=10, augment=["flip"], evaluate="5st",
        schedule={"name": "cosine", "warmup": 0.25},
    )  # fmt: skip

    def run(
        sampler: str | None = None, *, seconds: float | None = STEPS * STEP, takes: float = STEP,
        folder: CheckpointFolder | None = None, stop: int | None = None,
    ) -> tuple[Trained, dict[str, Any], Stopping]:  # fmt: skip
        net, control = build_net(convnet, bank, 0, "retraining"), Stopping(stop)
        common = (70, 30, 4 / 7, 0, "retraining")
        made = {
            "rs2": lambda: RepeatedRandom(*common),
            "infobatch": lambda: InfoBatch(*common, CPU),
        }
        trained = train(
            net, Slow(clock, takes), Feed(bank, compute), np.arange(70 if sampler else 30),
            settings, seed=0,
            role="retraining", compute=compute, total_steps=STEPS, seconds=seconds,
            test=Feed(test, compute), checkpoints=folder, control=control,
            sampler=made[sampler]() if sampler else None,
        )  # fmt: skip
        return trained, net.state_dict(), control

    return run


@pytest.mark.parametrize("sampler", [None, "rs2", "infobatch"])
def test_where_steps_take_what_is_expected_it_is_the_training_of_so_many_steps(
    go: Any, sampler: str | None
) -> None:
    counted, by_steps, _ = go(sampler, seconds=None)
    timed, by_seconds, control = go(sampler)
    assert counted.steps == timed.steps == STEPS
    assert all(torch.equal(by_steps[k], by_seconds[k]) for k in by_steps)
    assert timed.seconds == pytest.approx(STEPS * STEP)
    assert timed.evaluation_seconds == pytest.approx(60 * 4)  # at 5, 10, 15 and in the end
    assert control.told[-1] == (STEPS, STEPS)


@pytest.mark.parametrize(("takes", "steps"), [(2 * STEP, 8), (STEP / 2, 32), (0.3, 14), (99.0, 1)])
def test_it_ends_with_the_first_step_that_fills_the_time(go: Any, takes: float, steps: int) -> None:
    trained, _, control = go(takes=takes)
    assert trained.steps == steps and trained.train_passes == 10 * steps
    assert trained.epochs == pytest.approx(steps / 3)
    assert trained.seconds >= STEPS * STEP
    assert set(trained.metrics) == {"accuracy"} and trained.predictions is not None
    assert trained.history["test/accuracy"]["step"][-1] == steps
    assert control.told[-1] == (STEPS, STEPS)


def test_the_schedule_follows_the_time(clock: Clock) -> None:
    watch = Stopwatch(CPU)
    course = TimedCourse(100, 8.0, watch)
    found = []
    for _ in range(10):
        found.append((course.place(0), course.share(0), course.over(1)))
        clock.now += 1.0
    assert [place for place, _, _ in found] == [0, 12, 25, 37, 50, 62, 75, 87, 99, 99]
    assert [share for _, share, _ in found][::4] == [0.0, 0.5, 1.0]
    assert [over for _, _, over in found].index(True) == 8
    watch.lap(evaluation=True)  # time that is evaluation's does not count
    assert course.share(0) == 0.0


@pytest.mark.parametrize("sampler", [None, "infobatch"])
def test_resumed_it_has_what_was_left_of_its_time(
    go: Any, clock: Clock, sampler: str | None, tmp_path: Path
) -> None:
    _, whole, _ = go(sampler)
    folder = CheckpointFolder(tmp_path / "partial", 600.0)
    with pytest.raises(Stopped, match="stopped at step 7 of about 16"):
        go(sampler, folder=folder, stop=7)
    clock.now += 5000.0  # between two processes
    resumed, weights, _ = go(sampler, folder=folder)
    assert resumed.steps == STEPS and resumed.seconds == pytest.approx(STEPS * STEP)
    assert all(torch.equal(whole[k], weights[k]) for k in whole)
