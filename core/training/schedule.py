"""Learning rate as a pure function of the step, so nothing of it has to be saved."""

from __future__ import annotations

import math

from core.recipe import ScheduleSpec

ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 25.0
ONE_CYCLE_END = 1e4
PIECEWISE_FALLS = (0.5, 0.75)


def learning_rate(schedule: ScheduleSpec, peak: float, step: int, total: int) -> float:
    """Learning rate of step ``step`` (from 0) of ``total`` steps.

    constant, piecewise and cosine warm up linearly over ``warmup`` x total steps; cosine then falls
    to 0 (1608.03983), piecewise to a tenth at half of all steps and again at three quarters, as
    adversarial training often does (2002.11569). one_cycle (1708.07120, two cosine phases, momentum
    left alone) rises from peak / 25 and falls to peak / 250,000.
    """
    if schedule.name == "one_cycle":
        return _one_cycle(schedule.warmup or ONE_CYCLE_RISE, peak, step, total)
    warm = round(schedule.warmup * total)
    if step < warm:
        return peak * (step + 1) / warm
    if schedule.name == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))
    if schedule.name == "piecewise":
        return peak * 0.1 ** sum(step >= share * total for share in PIECEWISE_FALLS)
    return peak


def _one_cycle(rise: float, peak: float, step: int, total: int) -> float:
    start, end = peak / ONE_CYCLE_START, peak / ONE_CYCLE_START / ONE_CYCLE_END
    top, last = rise * total - 1, total - 1
    if step <= top and top > 0:
        return _between(start, peak, step / top)
    return _between(peak, end, (step - top) / (last - top))


def _between(first: float, second: float, share: float) -> float:
    """From first to second along half a cosine."""
    return second + (first - second) / 2 * (1 + math.cos(math.pi * share))
