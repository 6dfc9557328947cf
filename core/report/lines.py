"""A line chart: series with bands over a number, and levels that hold everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.report import svg
from core.report.scale import Scale

HEIGHT = 340
_MANY, _MARKS = 30, 6
Values = Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """A series: ``y`` over ``x`` with an optional band ``low..high``; None and NaN are gaps.
    ``level``: one y that is drawn over the whole width. ``style`` picks colour, dash and mark."""

    name: str
    style: int
    x: Sequence[float]
    y: Values
    low: Values | None = None
    high: Values | None = None
    level: bool = False


def line_chart(
    title: str, lines: Sequence[Line], x: svg.Axis, y: svg.Axis, note: str = ""
) -> str | None:
    """The chart as a ``<figure>``; None when no line has a value."""
    values = [v for line in lines for part in (line.y, line.low, line.high) for v in part or ()]
    places = [v for line in lines if not line.level for v in line.x]
    if not any(_known(v) for line in lines for v in line.y):
        return None
    across = Scale(*x.ends(places), svg.LEFT, svg.WIDTH - svg.RIGHT)
    up = Scale(*y.ends(values), HEIGHT - svg.BOTTOM, svg.TOP)
    bands = "".join(_band(line, across, up) for line in lines)
    drawn = "".join(_drawn(line, across, up, x, y) for line in lines)
    keys = [svg.key(line.style, line.name) for line in lines]
    return svg.figure(title, svg.frame(x, y, across, up) + bands + drawn, HEIGHT, keys, note)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _points(line: Line, across: Scale) -> list[float]:
    return [across.start, across.end] if line.level else [across(v) for v in line.x]


def _values(line: Line, values: Values) -> list[float | None]:
    return [values[0]] * 2 if line.level else list(values)


def _band(line: Line, across: Scale, up: Scale) -> str:
    if line.low is None or line.high is None:
        return ""
    ends = zip(
        _points(line, across), _values(line, line.low), _values(line, line.high), strict=True
    )
    known = [(p, low, high) for p, low, high in ends if _known(low) and _known(high)]
    if not known:
        return ""
    if len(known) == 1:  # a single place has no area; its band is a whisker
        place, low, high = known[0]
        whisker = f"M{_at(place, up(low or 0.0))}V{svg.number(up(high or 0.0))}"
        return f'<path class="line s{line.style % svg.STYLES}" d="{whisker}"/>'
    there = [_at(p, up(high or 0.0)) for p, _, high in known]
    back = [_at(p, up(low or 0.0)) for p, low, _ in reversed(known)]
    return f'<path class="band s{line.style % svg.STYLES}" d="M{"L".join(there + back)}Z"/>'


def _at(x: float, y: float) -> str:
    return f"{svg.number(x)} {svg.number(y)}"


def _drawn(line: Line, across: Scale, up: Scale, x: svg.Axis, y: svg.Axis) -> str:
    points, values = _points(line, across), _values(line, line.y)
    path, pen = "", "M"
    for place, value in zip(points, values, strict=True):
        if not _known(value):
            pen = "M"
            continue
        path += pen + _at(place, up(value or 0.0))
        pen = "L"
    drawn = f'<path class="line s{line.style % svg.STYLES}"{svg.dash(line.style)} d="{path}"/>'
    if line.level:
        return drawn
    step = 1 if len(line.x) <= _MANY else len(line.x) // _MARKS
    shown = list(zip(points, values, line.x, strict=True))[step // 2 :: step]
    return drawn + "".join(
        svg.mark(line.style, p, up(v or 0.0), f"{line.name}, {x.show(at)}: {y.show(v or 0.0)}")
        for p, v, at in shown
        if _known(v)
    )
