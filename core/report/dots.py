"""A dot chart: one row a name, one mark a series, with whiskers where there is an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.report import svg
from core.report.html import text
from core.report.scale import Scale, ticks

_ROW = 26
_LETTER = 6.6
_LONGEST = 26


@dataclass(frozen=True)
class Dot:
    """A value of a series (``style``), with the ends of its interval if it has one."""

    style: int
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """A named row and what stands in it."""

    name: str
    dots: tuple[Dot, ...]


def dot_chart(
    title: str, rows: Sequence[Row], series: Sequence[str], axis: svg.Axis, note: str = ""
) -> str | None:
    """The chart as a ``<figure>``; ``series`` are the names by style. None without a value."""
    values = [v for row in rows for dot in row.dots for v in (dot.value, dot.low, dot.high)]
    if not values:
        return None
    names = [_short(row.name) for row in rows]
    left = max(svg.LEFT, 16 + _LETTER * max(len(name) for name in names))
    across = Scale(*axis.ends(values), left, svg.WIDTH - svg.RIGHT)
    bottom = svg.TOP + _ROW * len(rows)
    grid = "".join(_line(tick, axis, across, bottom) for tick in ticks(across.low, across.high, 6))
    middle = svg.number((across.start + across.end) / 2)
    label = f'<text x="{middle}" y="{bottom + 34}" text-anchor="middle">{text(axis.label)}</text>'
    drawn = "".join(
        _row(row, name, series, axis, across, svg.TOP + _ROW * (i + 0.5))
        for i, (row, name) in enumerate(zip(rows, names, strict=True))
    )
    keys = [svg.key(i, name, line=False) for i, name in enumerate(series)]
    return svg.figure(title, grid + label + drawn, bottom + svg.BOTTOM, keys, note)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _line(tick: float, axis: svg.Axis, across: Scale, bottom: float) -> str:
    at = svg.number(across(tick))
    return (
        f'<path class="grid" d="M{at} {svg.TOP}V{bottom}"/>'
        f'<text class="tick" x="{at}" y="{bottom + 16}" text-anchor="middle">'
        f"{text(axis.show(tick))}</text>"
    )


def _row(
    row: Row, name: str, series: Sequence[str], axis: svg.Axis, across: Scale, y: float
) -> str:
    parts = [
        f'<path class="grid" d="M{svg.number(across.start)} {svg.number(y)}'
        f'H{svg.number(across.end)}"/>'
        f'<text class="tick" x="{svg.number(across.start - 10)}" y="{svg.number(y + 4)}" '
        f'text-anchor="end"><title>{text(row.name)}</title>{text(name)}</text>'
    ]
    count = len(row.dots)
    for index, dot in enumerate(row.dots):
        at = y + (index - (count - 1) / 2) * min(
            4.0, 14 / max(1, count)
        )  # side by side, not hidden
        if dot.low is not None and dot.high is not None:
            ends = f"M{svg.number(across(dot.low))} {svg.number(at)}H{svg.number(across(dot.high))}"
            parts.append(f'<path class="line s{dot.style % svg.STYLES}" d="{ends}"/>')
        said = f"{row.name}, {series[dot.style]}: {axis.show(dot.value)}"
        parts.append(svg.mark(dot.style, across(dot.value), at, said))
    return "".join(parts)
