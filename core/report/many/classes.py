"""Which classes pay: accuracy by class against models of all the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.comparison.predictions import class_effects
from core.report.dots import Dot, dot_chart
from core.report.dots import Row as DotRow
from core.report.facts import Facts
from core.report.html import paragraph, section, table
from core.report.many.facts import Many, Row, Series
from core.report.svg import STYLES, Axis

_MANY = 24
Effects = NDArray[np.float64]
Found = list[tuple[Series, float, Effects]]


def classes(many: Many) -> str | None:
    """The section; needs the test labels, so the prepared data, and the baseline ``full``."""
    parts = [part for group in many.groups for part in _group(many, group)]
    return section("classes", "Effects by class", *parts)


def _group(many: Many, group: Row) -> list[str | None]:
    if not many.metrics(group):
        return []
    facts = many.runs[group["runs"][0]]
    if facts.dataset is None:
        text = f"Effects by class are not shown: {facts.why_no_data}."
        return [paragraph(text, "note")]
    found = _effects(many, group, facts)
    if not found:
        text = "Not known: it takes predictions of a model of all the data (baseline full)."
        return [paragraph(text, "note")]
    return [_chart(facts, found), _table(facts, found)]


def _effects(many: Many, group: Row, facts: Facts) -> Found:
    """Mean difference in accuracy to ``full`` by class, of every series and rate."""
    assert facts.dataset is not None  # the caller looked
    targets, count = np.asarray(facts.dataset.test.targets), len(facts.dataset.classes)
    found: Found = []
    for series in many.series(group, many.metrics(group)[0]):
        full = many.predictions(series.labels[0], "full", 0.0)
        for row in series.rows if series.method != "full" else ():
            own = many.predictions(series.labels[0], series.method, row["rate"])
            effects = class_effects(own, full, targets, count)
            if effects is not None:
                found.append((series, float(row["rate"]), effects))
    return found


def _chart(facts: Facts, found: Found) -> str | None:
    """At the highest rate of the runs' own methods, so that effects are large enough to see."""
    highest = max((rate for series, rate, _ in found if series.own), default=None)
    shown = [(s, e) for s, rate, e in found if rate == highest]
    shown = [pair for pair in shown if pair[0].own or pair[0].method == "random"][:STYLES]
    if not shown:
        return None
    mean = np.mean([effects for _, effects in shown], axis=0)
    order = [int(i) for i in np.argsort(mean, kind="stable") if np.isfinite(mean[i])]
    note = "Mean over the seeds; the classes that lose most first; zero is a model of all the data."
    if len(order) > _MANY:
        note = f"The {_MANY} of {len(order)} classes that lose most. {note}"
    rows = [
        DotRow(
            facts.class_name(label),
            tuple(Dot(i, float(effects[label])) for i, (_, effects) in enumerate(shown)),
        )
        for label in order[:_MANY]
    ]
    return dot_chart(
        f"Points gained or lost by class, dropping {100 * (highest or 0):g}%", rows,
        [series.name for series, _ in shown],
        Axis("percentage points against a model of all the data", _points),
        note,
    )  # fmt: skip


def _table(facts: Facts, found: Found) -> str:
    rows = []
    for series, rate, effects in found:
        worst, best = int(np.nanargmin(effects)), int(np.nanargmax(effects))
        spread = float(np.nanmax(effects) - np.nanmin(effects))
        rows.append(
            (
                series.name, f"{100 * rate:.4g}%", facts.class_name(worst),
                f"{100 * effects[worst]:+.2f}", facts.class_name(best),
                f"{100 * effects[best]:+.2f}", f"{100 * spread:.2f}",
            )
        )  # fmt: skip
    return table(
        ["", "dropped>", "loses most", "points>", "loses least", "points>", "apart>"], rows,
        "The classes that lose most and least against models of all the data; mean over the seeds",
    )  # fmt: skip


def _points(value: float) -> str:
    return f"{100 * value:+.4g}" if value else "0"
