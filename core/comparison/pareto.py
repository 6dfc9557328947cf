"""The Pareto front of accuracy against cost."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether each (cost, value) is on the front: no other point costs at most as much and is at
    least as good, one of the two strictly. Equal points are on it together."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    on = [False] * len(points)
    best: tuple[float, float] | None = None
    for index in order:
        if best is None or points[index][1] > best[1] or points[index] == best:
            on[index], best = True, points[index]
    return on
