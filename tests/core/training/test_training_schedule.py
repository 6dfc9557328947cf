"""Learning rates against torch's own schedulers and closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from core.recipe import ScheduleSpec
from core.training.schedule import learning_rate


def schedule(name: str, warmup: float = 0.0) -> ScheduleSpec:
    return ScheduleSpec.model_validate({"name": name, "warmup": warmup})


@pytest.mark.parametrize("total", [5, 47, 200])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_one_cycle_is_torch_s_without_momentum(total: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.4, total_steps=total, pct_start=warmup or 0.3, cycle_momentum=False
    )
    for step in range(total):
        assert learning_rate(schedule("one_cycle", warmup), 0.4, step, total) == pytest.approx(
            theirs.get_last_lr()[0], rel=1e-9
        )
        optimizer.step()
        if step < total - 1:
            theirs.step()


def test_cosine_falls_from_the_peak_to_zero() -> None:
    rates = [learning_rate(schedule("cosine"), 0.2, s, 100) for s in range(100)]
    assert rates == pytest.approx([0.1 * (1 + math.cos(math.pi * s / 100)) for s in range(100)])


@pytest.mark.parametrize("name", ["constant", "cosine"])
def test_warm_up_rises_linearly_to_the_peak(name: str) -> None:
    rates = [learning_rate(schedule(name, 0.1), 1.0, s, 50) for s in range(50)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1.0) if name == "constant" else rates[-1] < 0.01


def test_piecewise_falls_at_half_and_at_three_quarters() -> None:
    rates = [learning_rate(schedule("piecewise", 0.1), 0.2, s, 20) for s in range(20)]
    expected = [0.1, 0.2] + [0.2] * 8 + [0.02] * 5 + [0.002] * 5
    assert rates == pytest.approx(expected)
    odd = [learning_rate(schedule("piecewise"), 1.0, s, 5) for s in range(5)]  # 2.5 and 3.75
    assert odd == pytest.approx([1, 1, 1, 0.1, 0.01])


@pytest.mark.parametrize("name", ["constant", "cosine", "one_cycle", "piecewise"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_finite_positive_rates(name: str, total: int) -> None:
    for warmup in (0.0, 0.9):
        for step in range(total):
            assert 0 < learning_rate(schedule(name, warmup), 1.0, step, total) <= 1.0
