"""The device: what it is, its memory and its use as they were last measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.replay import Series
from prunectl import words
from prunectl.tui.charts.line import Axes, line_chart
from prunectl.tui.charts.series import Curve
from prunectl.tui.drawing import Line, Look, bar, clean, fit
from prunectl.tui.known import Choice, Known, column

_KINDS = ("memory_bytes", "utilisation")


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """Two meters, and their course where there is room."""
    view = known.view
    about = clean(view.device or "device not known yet")
    if view.device == "cpu":
        about += f", {words.plural(view.threads, 'thread')}"
    if view.host:
        about += f" on {clean(view.host)}"
    lines: list[Line] = [[(fit(about, width, ellipsis=look.mark("…", "~")), "text")]]
    memory, used = readings(known, "memory_bytes"), readings(known, "utilisation")
    if not len(memory) and not len(used):
        return [*lines, [("nothing measured yet", "dim")]]
    room = max(width - 19, 4)
    if len(used):
        share = float(used[-1])
        lines.append([("use    ", "dim"), (f"{share:>10.0%} ", "strong"), *bar(share, room, look)])
    if len(memory):
        now, most = float(memory[-1]), float(np.nanmax(memory))
        lines.append([("memory ", "dim"), (f"{words.size(now):>10} ", "strong"),
                      *bar(now / (most or 1.0), room, look)])  # fmt: skip
        lines.append([(f"{'':>7}{words.size(most):>10} at most", "dim")])
    rest = height - len(lines)
    if rest >= 6 and len(used) > 1:
        curve = Curve("use", np.arange(len(used), dtype=float), used, 0)
        percent = Axes(x_name="readings", y_label=lambda v: f"{v:.0%}", legend=False, lowest=0.0)
        lines += line_chart([curve], width, min(rest, 12), look, percent)
    return lines


def readings(known: Known, kind: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """All readings of one kind in the order in which they were taken, NaN where one failed."""
    parts = [column(series, "value") for name, series in _series(known) if name == f"device/{kind}"]
    return np.concatenate(parts) if parts else np.empty(0)


def _series(known: Known) -> Iterator[tuple[str, Series]]:
    for named in known.view.curves.values():
        for name, series in named.items():
            if name.startswith("device/"):
                yield name, series
