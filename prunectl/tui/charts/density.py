"""The scatter of very many points: how many fall into each cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunectl.tui.charts.scale import scale_of, short
from prunectl.tui.drawing import Line, Look, centred, fit_line

_SHADES = " ·░▒▓█"
_ASCII_SHADES = " .:+*#"


def density(
    x: NDArray[np.float64], y: NDArray[np.float64], width: int, height: int, look: Look,
    names: tuple[str, str] = ("x", "y"),
) -> list[Line]:  # fmt: skip
    """Points ``[n]`` counted by cell, shaded by the square root of the count; ``height`` lines."""
    shown = np.isfinite(x) & np.isfinite(y)
    x, y = x[shown], y[shown]
    across, up = scale_of([x]), scale_of([y])
    if across is None or up is None or width < 10 or height < 5:
        return centred("nothing measured to compare with", width, height)
    labels = short(up.high), short(up.low)
    gutter = max(map(len, labels)) + 1
    plot_width, plot_height = width - gutter, height - 2
    counts, _, _ = np.histogram2d(
        up.share(y), across.share(x), bins=(plot_height, plot_width), range=((0, 1), (0, 1))
    )
    level = np.sqrt(counts / counts.max())
    shades = np.array(list(_ASCII_SHADES if look.ascii else _SHADES))
    step = np.where(counts > 0, np.clip(np.ceil(level * 5), 1, 5), 0).astype(int)
    text = shades[step[::-1]]
    up_arrow, across_arrow = look.mark("↑", "up"), look.mark("→", "across")
    title = f"{names[1]} {up_arrow} by {names[0]} {across_arrow}"
    lines: list[Line] = [fit_line([(title, "dim")], width)]
    for row in range(plot_height):
        said = labels[0] if row == 0 else labels[1] if row == plot_height - 1 else ""
        edge = look.mark("│", "|")
        cells = "".join(text[row])
        lines.append([(f"{said:>{gutter - 1}}", "dim"), (edge, "faint"), (cells, "s1")])
    left, right = short(across.low), short(across.high)
    space = " " * max(plot_width - len(left) - len(right), 1)
    lines.append(fit_line([(" " * gutter + left + space + right, "dim")], width))
    return lines
