"""Training curves: the scoring runs, full training and the method at each rate."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from core.replay import Series
from core.report.facts import Facts
from core.report.html import section
from core.report.lines import Line, line_chart
from core.report.svg import STYLES, Axis

_BINS = 60
_SERIES = {
    "train/loss": ("Training loss", "loss", "{:g}".format),
    "test/accuracy": ("Test accuracy in percent", "accuracy, percent", lambda v: f"{100 * v:g}"),
    "test/robust_accuracy": (
        "Robust test accuracy in percent", "accuracy, percent", lambda v: f"{100 * v:g}",
    ),
    "validation/accuracy": (
        "Validation accuracy in percent", "accuracy, percent", lambda v: f"{100 * v:g}",
    ),
    "validation/robust_accuracy": (
        "Robust validation accuracy in percent", "accuracy, percent", lambda v: f"{100 * v:g}",
    ),
}  # fmt: skip
Floats = NDArray[np.float64]


def curves(facts: Facts) -> str | None:
    """The section; a series of one point (evaluated at the end only) is no curve."""
    return section("curves", "How the training went", *(_chart(facts, s) for s in _SERIES))


def _chart(facts: Facts, series: str) -> str | None:
    title, label, show = _SERIES[series]
    lines = [
        line
        for style, (name, tasks) in enumerate(_groups(facts)[:STYLES])
        if (line := _line(facts, series, style, name, tasks)) is not None
    ]
    note = "Mean over the seeds; bands reach from the lowest to the highest seed."
    return line_chart(title, lines, Axis("epoch"), Axis(label, show), note)


def _groups(facts: Facts) -> list[tuple[str, list[str]]]:
    """Tasks that are drawn as one line, by name."""
    seeds = facts.summary["seeds"]
    found = [("scoring run", [f"score-s{seed}" for seed in seeds])]
    pairs = [(facts.method, rate) for rate in facts.rates(facts.method)]
    for method, rate in [("full", 0.0), *pairs]:
        name = "full" if method == "full" else f"{method}, dropping {100 * rate:g}%"
        found.append((name, [f"retrain-{t['id']}" for t in facts.of(method, rate)]))
    return found


def _line(facts: Facts, series: str, style: int, name: str, tasks: list[str]) -> Line | None:
    known = [c for t in tasks if (c := facts.curves.get(t, {}).get(series)) and len(c.step) > 1]
    if not known:
        return None
    last = max(float(np.max(c.epoch)) for c in known)
    edges = np.linspace(0.0, last, _BINS + 1)
    places, rows = (
        np.stack(part) for part in zip(*(_binned(c, edges) for c in known), strict=True)
    )
    there = np.isfinite(rows).any(axis=0)
    rows, places = rows[:, there], places[:, there]
    if rows.shape[1] < 2:
        return None
    with warnings.catch_warnings():  # a bin that only some seeds have points in
        warnings.simplefilter("ignore", RuntimeWarning)
        mean, low, high = (f(rows, axis=0).tolist() for f in (np.nanmean, np.nanmin, np.nanmax))
        epochs = np.nanmean(places, axis=0).tolist()
    banded = len(known) > 1
    return Line(name, style, epochs, mean, low if banded else None, high if banded else None)


def _binned(curve: Series, edges: Floats) -> tuple[Floats, Floats]:
    """Mean epoch and mean value by bin of epochs, NaN where a bin has no finite value."""
    epoch = np.asarray(curve.epoch, dtype=np.float64)
    value = np.asarray([np.nan if v is None else v for v in curve.value], dtype=np.float64)
    ok = np.isfinite(value)
    place = np.clip(np.searchsorted(edges, epoch[ok], "left") - 1, 0, len(edges) - 2)
    count = np.bincount(place, minlength=len(edges) - 1).astype(np.float64)
    count[count == 0] = np.nan
    epochs, values = (np.bincount(place, v[ok], len(edges) - 1) for v in (epoch, value))
    return epochs / count, values / count
