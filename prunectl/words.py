"""The wording of numbers, which reports and front ends share: see :mod:`core.words`."""

from core.words import (
    DASH,
    MIN_SEEDS,
    about,
    ago,
    clock,
    count,
    elapsed,
    interval,
    number,
    params,
    pays,
    percent,
    plural,
    size,
    versus_random,
)

__all__ = [
    "DASH",
    "MIN_SEEDS",
    "about",
    "ago",
    "clock",
    "count",
    "elapsed",
    "interval",
    "number",
    "params",
    "pays",
    "percent",
    "plural",
    "size",
    "versus_random",
]
