"""Scores: how scored and extrapolated ones spread, and predictions against measurements."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunectl import words
from prunectl.tui.charts.density import density
from prunectl.tui.charts.line import Axes, line_chart
from prunectl.tui.charts.series import Curve, Floats
from prunectl.tui.drawing import Line, Look, centred, clean, fit_line
from prunectl.tui.known import Choice, Known


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """The histogram, and beside or below it the density where there is a measurement."""
    seed = known.seed(choice)
    table = known.scores.get(seed) if seed is not None else None
    if table is None:
        return centred("no scores have been written yet", width, height)
    name = score_name(table)
    title: Line = [(clean(name), "strong"), (f"  seed {seed}", "dim")]
    room = height - 1
    measured, what = _measured(table, name)
    if measured is None or room < 12 and width < 72:
        return [fit_line(title, width), *_histogram(table, name, width, room, look)]
    predicted = table[f"{name}_predicted"]
    names = (f"predicted {what}", "measured")
    if width >= 72:
        half = (width - 2) // 2
        left = _histogram(table, name, half, room, look)
        right = density(predicted, measured, width - half - 2, room, look, names)
        pairs = zip(left, right, strict=False)
        beside = [[*fit_line(a, half), ("  ", ""), *b] for a, b in pairs]
        return [fit_line(title, width), *beside]
    upper = room - room // 2
    return [
        fit_line(title, width), *_histogram(table, name, width, upper, look),
        *density(predicted, measured, width, room - upper, look, names),
    ]  # fmt: skip


def score_name(table: dict[str, NDArray[Any]]) -> str:
    """The score that selection used: the first with predictions, else the first of all."""
    predicted = [c.removesuffix("_predicted") for c in table if c.endswith("_predicted")]
    if predicted:
        return predicted[0]
    known = ("scored", "label", "heldout")
    return next((c for c in table if c not in known), "score")


def _measured(table: dict[str, NDArray[Any]], name: str) -> tuple[Floats | None, str]:
    """What predictions can be held against: full scores where they are, else the held-out fold."""
    if f"{name}_predicted" not in table:
        return None, ""
    if f"{name}_full" in table:
        full = np.where(table["scored"], np.nan, table[f"{name}_full"])
        return full, "(unscored)"
    own = np.where(table["heldout"], table[name], np.nan)
    return own, "(held-out)"


def _histogram(
    table: dict[str, NDArray[Any]], name: str, width: int, height: int, look: Look
) -> list[Line]:
    """Shares of the scored and of the extrapolated samples by score, as steps."""
    values, scored = table[name], table["scored"]
    finite = values[np.isfinite(values)]
    if not len(finite):
        return centred("no finite score", width, height)
    low, high = float(finite.min()), float(finite.max())
    edges = np.linspace(low, high if high > low else low + 1.0, min(max(width // 3, 8), 40) + 1)
    curves = []
    for number, (kind, among) in enumerate((("scored", scored), ("extrapolated", ~scored))):
        own = values[among & np.isfinite(values)]
        if not len(own):
            continue
        counts, _ = np.histogram(own, edges)
        share = counts / len(own)
        x, y = np.repeat(edges, 2)[1:-1], np.repeat(share, 2)
        curves.append(Curve(f"{kind} {words.count(len(own))}", x, y, number))
    axes = Axes(x_name="score", x_label=_label, y_label=lambda v: f"{100 * v:.0f}%", lowest=0.0)
    return line_chart(curves, width, height, look, axes)


def _label(value: float) -> str:
    return f"{value:.3g}"
