"""Means with their spread over a few places of x: one band a series, marks on the means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prunectl.tui.charts.line import Axes, Frame, _with_axes
from prunectl.tui.charts.raster import Raster
from prunectl.tui.charts.scale import Scale, scale_of
from prunectl.tui.charts.series import Curve, Floats
from prunectl.tui.drawing import Line, Look, centred, fit_line


@dataclass(frozen=True)
class Band:
    """A curve of means and how far they spread: ``[n]``, NaN where that is not known."""

    curve: Curve
    spread: Floats


def band_chart(
    bands: Sequence[Band], width: int, height: int, look: Look, axes: Axes,
    upright: float | None = None,
) -> list[Line]:  # fmt: skip
    """Exactly ``height`` lines; ``upright`` is a place of x to mark, such as the break-even."""
    bands = [b for b in bands if len(b.curve.x)]
    spread = [np.nan_to_num(b.spread) for b in bands]
    ends = [b.curve.y + s * side for b, s in zip(bands, spread, strict=True) for side in (-1, 1)]
    y = scale_of(ends, margin=0.04)
    x = scale_of([b.curve.x for b in bands])
    if x is None or y is None or width < 12 or height < 4:
        return centred("no retraining has finished yet", width, height)
    x = Scale(min(x.low, 0.0) - 0.02, max(x.high, 0.0) + 0.02)
    gutter = max(len(axes.y_label(v)) for v in (y.low, y.high)) + 1
    frame = Frame(x, y, width - gutter, height - 2, gutter, True, True)
    raster = Raster(frame.width, frame.height, plain=look.ascii)
    if upright is not None and x.low <= upright <= x.high:
        column = round(float(x.share(np.array([upright]))[0]) * (frame.width - 1))
        for row in range(frame.height):
            raster.put(column, row, look.mark("┊", ":"), "warn")
    for band in bands:
        _fill(raster, band, frame)
    for band in bands:
        _means(raster, band, frame, look)
    legend: Line = []
    for band in bands:
        glyph = band.curve.glyph(look.ascii)
        legend += [(f"{glyph} ", band.curve.style), (f"{band.curve.name}  ", "text")]
    return [fit_line(legend, width), *_with_axes(raster.lines(), frame, axes, look, width)]


def _places(band: Band, raster: Raster, frame: Frame) -> tuple[Floats, Floats]:
    x = frame.x.share(band.curve.x) * (raster.columns - 1)
    return x, frame.y.share(band.curve.y) * (raster.rows - 1)


def _fill(raster: Raster, band: Band, frame: Frame) -> None:
    """The spread as sparse dots; of a single place an upright stroke."""
    x, _ = _places(band, raster, frame)
    spread = np.nan_to_num(band.spread)
    low = frame.y.share(band.curve.y - spread) * (raster.rows - 1)
    high = frame.y.share(band.curve.y + spread) * (raster.rows - 1)
    known = np.isfinite(low) & np.isfinite(high)
    if raster.plain or not known.any() or not spread.any():
        return
    at = np.arange(int(x[known].min()), int(x[known].max()) + 1)
    rows = np.arange(raster.rows)
    bottom = np.interp(at, x[known], low[known])
    top = np.interp(at, x[known], high[known])
    grid_x, grid_y = np.meshgrid(at, rows)
    inside = (grid_y >= bottom) & (grid_y <= top)
    if len(at) > 1:
        inside &= (grid_x + grid_y) % 2 == 0
        inside &= grid_x % 2 == band.curve.number % 2
    raster.dots(grid_x[inside], grid_y[inside], band.curve.style)


def _means(raster: Raster, band: Band, frame: Frame, look: Look) -> None:
    x, y = _places(band, raster, frame)
    glyph = band.curve.glyph(look.ascii)
    raster.line(x, y, band.curve.style, band.curve.dash, look.mark("", "."))
    per_column, per_row = (1, 1) if raster.plain else (2, 4)
    for px, py in zip(x, y, strict=True):
        if np.isfinite(px) and np.isfinite(py):
            row = raster.height - 1 - int(round(py)) // per_row
            raster.put(int(round(px)) // per_column, row, glyph, band.curve.style)
