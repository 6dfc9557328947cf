"""The line chart: axes, curves, gaps, a cursor with a read-out, a legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from prunectl.tui.charts.raster import Raster
from prunectl.tui.charts.scale import Scale, scale_of, short, whole
from prunectl.tui.charts.series import Curve, decimate, value_at
from prunectl.tui.drawing import Line, Look, centred, clean, fit_line, width_of

Label = Callable[[float], str]


@dataclass(frozen=True)
class Axes:
    """How a chart is scaled and what its axes say."""

    x_name: str = ""
    log: bool = False
    cursor: float | None = None
    """Where the cursor is, 0..1 of the plot's width; None for none."""
    x_label: Label = whole
    y_label: Label = short
    legend: bool = True
    lowest: float | None = None
    """A value that the y axis shows in any case."""


def line_chart(
    curves: Sequence[Curve], width: int, height: int, look: Look, axes: Axes | None = None
) -> list[Line]:
    """Exactly ``height`` lines of ``width`` cells; a sentence where there is nothing to draw."""
    axes = axes or Axes()
    curves = [c for c in curves if len(c.x)]
    frame = _frame(curves, width, height, axes)
    if frame is None:
        why = "nothing above zero for a logarithmic axis" if axes.log else "no finite value"
        return centred(why if curves else "no points yet", width, height)
    raster = Raster(frame.width, frame.height, plain=look.ascii)
    for curve in reversed(curves):  # the first lies on top
        _draw(raster, curve, frame, look)
    x_at = None
    if axes.cursor is not None:
        column = round(axes.cursor * (frame.width - 1))
        x_at = frame.x.value(axes.cursor)
        for row in range(frame.height):
            if raster.empty(column, row):
                raster.put(column, row, look.mark("┊", ":"), "cursor")
    head = [_read_out(curves, x_at, axes, look, width)] if frame.legend else []
    return head + _with_axes(raster.lines(), frame, axes, look, width)


@dataclass(frozen=True)
class Frame:
    """Where the plot lies and what its axes span."""

    x: Scale
    y: Scale
    width: int
    height: int
    gutter: int
    legend: bool
    foot: bool


def _frame(curves: Sequence[Curve], width: int, height: int, axes: Axes) -> Frame | None:
    more = [] if axes.lowest is None else [np.array([axes.lowest])]
    y = scale_of([*(c.y for c in curves), *more], log=axes.log)
    x = scale_of([c.x[[0, -1]] for c in curves])  # x rises
    if x is None or y is None or width < 6 or height < 2:
        return None
    if len({float(v) for c in curves for v in (c.x[0], c.x[-1])}) > 1:
        x = Scale(min(c.x[0] for c in curves), max(c.x[-1] for c in curves))
    foot, legend = height >= 4, axes.legend and height >= 5
    labels = [axes.y_label(y.value(s)) for s in (0, 0.5, 1)]
    gutter = min(max(map(len, labels)), 8) + 1 if width >= 18 else 1
    return Frame(x, y, width - gutter, height - foot - legend, gutter, legend, foot)


def _draw(raster: Raster, curve: Curve, frame: Frame, look: Look) -> None:
    keep = decimate(curve.y, raster.columns)
    x, y = curve.x[keep], curve.y[keep]
    px = frame.x.share(x) * (raster.columns - 1)
    py = frame.y.share(y) * (raster.rows - 1)
    raster.line(px, py, curve.style, curve.dash, curve.glyph(look.ascii))
    lost = px[~np.isfinite(y)]
    cells = lost if look.ascii else lost / 2
    for column in np.unique(cells[np.isfinite(cells)].astype(int)):
        raster.put(int(column), 0, look.mark("✕", "!"), "bad")


def _read_out(
    curves: Sequence[Curve], x_at: float | None, axes: Axes, look: Look, width: int
) -> Line:
    """The legend; under a cursor with the values there."""
    line: Line = []
    if x_at is not None:
        line.append((f"{axes.x_name} {axes.x_label(x_at)}  ".lstrip(), "strong"))
    for curve in curves:
        said = clean(curve.name)
        if x_at is not None:
            value = value_at(curve, x_at)
            said += f" {'-' if value is None else axes.y_label(value)}"
        line += [(f"{curve.glyph(look.ascii)} ", curve.style), (f"{said}  ", "text")]
    if width_of(line) > width:
        line = [*fit_line(line, max(width - 1, 1)), (look.mark("…", "~"), "dim")]
    return fit_line(line, width)


def _with_axes(rows: list[Line], frame: Frame, axes: Axes, look: Look, width: int) -> list[Line]:
    height, gutter = frame.height, frame.gutter
    labels = {0: 1.0, height - 1: 0.0}
    if height >= 5:
        labels[(height - 1) // 2] = 1 - ((height - 1) // 2) / (height - 1)
    done = []
    for index, row in enumerate(rows):
        said = axes.y_label(frame.y.value(labels[index])) if index in labels else ""
        edge = look.mark("┤" if said and gutter > 1 else "│", "|")
        done.append([(f"{said:>{gutter - 1}.{gutter - 1}}" if gutter > 1 else "", "dim"),
                     (edge, "faint"), *row])  # fmt: skip
    if frame.foot:
        done.append(fit_line(_foot(frame, axes, look), width))
    return done


def _foot(frame: Frame, axes: Axes, look: Look) -> Line:
    left, right = axes.x_label(frame.x.low), axes.x_label(frame.x.high)
    name = f" {axes.x_name}{', log' if axes.log else ''} "
    space = frame.width - len(left) - len(right)
    if space < len(name):
        return [(" " * frame.gutter, ""), (left + " " * max(space, 1) + right, "dim")]
    rule = look.mark("─", "-")
    before = (space - len(name)) // 2
    return [
        (" " * frame.gutter, ""), (left, "dim"), (rule * before, "faint"), (name, "dim"),
        (rule * (space - len(name) - before), "faint"), (right, "dim"),
    ]  # fmt: skip
