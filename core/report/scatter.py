"""A scatter chart: marks of several series, and a front drawn as a staircase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.report import svg
from core.report.scale import Scale

HEIGHT = 340


@dataclass(frozen=True)
class Spot:
    """A point of a series (``style``); ``title`` is shown when it is pointed at."""

    style: int
    x: float
    y: float
    title: str


def scatter_chart(
    title: str,
    spots: Sequence[Spot],
    series: Sequence[tuple[int, str]],
    x: svg.Axis,
    y: svg.Axis,
    note: str = "",
    front: Sequence[tuple[float, float]] = (),
) -> str | None:
    """The chart as a ``<figure>``; None without a point. ``series``: style and name. ``front``: the
    best y that is to be had up to each x, drawn as steps."""
    if not spots:
        return None
    across = Scale(*x.ends([s.x for s in spots]), svg.LEFT, svg.WIDTH - svg.RIGHT)
    up = Scale(*y.ends([s.y for s in spots]), HEIGHT - svg.BOTTOM, svg.TOP)
    drawn = "".join(
        svg.mark(s.style, across(s.x), up(s.y), f"{s.title}: {x.show(s.x)}, {y.show(s.y)}")
        for s in spots
    )
    keys = [svg.key(style, name, line=False) for style, name in series]
    return svg.figure(
        title, svg.frame(x, y, across, up) + _steps(front, across, up) + drawn, HEIGHT, keys, note
    )


def _steps(front: Sequence[tuple[float, float]], across: Scale, up: Scale) -> str:
    if not front:
        return ""
    order = sorted(front)
    path = f"M{svg.number(across(order[0][0]))} {svg.number(up(order[0][1]))}"
    for place, value in order[1:]:
        path += f"H{svg.number(across(place))}V{svg.number(up(value))}"
    path += f"H{svg.number(across.end)}"
    return f'<path class="front" d="{path}"/>'
