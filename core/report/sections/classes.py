"""Accuracy by class, and of the worst one: what an average hides."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import words
from core.report.dots import Dot, Row, dot_chart
from core.report.facts import Facts
from core.report.html import paragraph, section, table
from core.report.svg import Axis

_MANY = 24
Accuracies = NDArray[np.float64]


def classes(facts: Facts) -> str | None:
    """The section; needs the test labels, so the prepared data."""
    if not facts.metrics:
        return None
    if facts.dataset is None:
        text = f"Accuracy by class is not shown: {facts.why_no_data}."
        return section("classes", "Accuracy by class", paragraph(text, "note"))
    found = {
        (method, rate): accuracies
        for method in facts.methods
        for rate in facts.rates(method)
        if (accuracies := _by_class(facts, method, rate))
    }
    if not found:
        return None
    return section("classes", "Accuracy by class", _chart(facts, found), _worst(facts, found))


def _by_class(facts: Facts, method: str, rate: float) -> list[Accuracies]:
    """Accuracy by class ``[C]`` of each seed; NaN for a class without test samples."""
    assert facts.dataset is not None  # the caller looked
    targets = np.asarray(facts.dataset.test.targets)
    count = len(facts.dataset.classes)
    total = np.bincount(targets, minlength=count)
    found = []
    for trial in facts.of(method, rate):
        predicted = facts.predictions(trial)
        if predicted is not None and len(predicted) == len(targets):
            right = np.bincount(targets[predicted == targets], minlength=count)
            found.append(np.where(total > 0, right / np.maximum(total, 1), np.nan))
    return found


def _chart(facts: Facts, found: dict[tuple[str, float], list[Accuracies]]) -> str | None:
    """The method at its lowest and highest rate beside full and random at the highest."""
    own = [rate for method, rate in found if method == facts.method]
    if not own:
        return None
    wanted = [
        ("full", 0.0),
        (facts.method, min(own)),
        (facts.method, max(own)),
        ("random", max(own)),
    ]
    shown = [pair for pair in dict.fromkeys(wanted) if pair in found]
    means = {pair: np.mean(found[pair], axis=0) for pair in shown}
    lowest = means[facts.method, max(own)]
    order = [int(i) for i in np.argsort(lowest, kind="stable") if np.isfinite(lowest[i])]
    note = "Mean over the seeds, the lowest first."
    if len(order) > _MANY:
        note = f"The {_MANY} lowest of {len(order)} classes. {note}"
    rows = [
        Row(
            facts.class_name(label),
            tuple(Dot(style, float(means[pair][label])) for style, pair in enumerate(shown)),
        )
        for label in order[:_MANY]
    ]
    return dot_chart(
        "Test accuracy by class, percent", rows, [_name(*pair) for pair in shown],
        Axis("accuracy, percent", lambda v: f"{round(100 * v, 6):g}"), note,
    )  # fmt: skip


def _worst(facts: Facts, found: dict[tuple[str, float], list[Accuracies]]) -> str:
    rows = []
    for (method, rate), seeds in found.items():
        worst = [int(np.nanargmin(a)) for a in seeds]
        value = fmean(float(np.nanmin(a)) for a in seeds)
        named = Counter(facts.class_name(label) for label in worst).most_common()
        told = ", ".join(f"{name} ({n} of {len(seeds)})" for name, n in named[:3])
        rows.append((method, f"{100 * rate:.4g}%", words.percent(value), told))
    return table(
        ["method", "dropped>", "worst class, percent>", "which class, in how many seeds"],
        rows, "Accuracy of the worst class, mean over the seeds",
    )  # fmt: skip


def _name(method: str, rate: Any) -> str:
    return method if method == "full" else f"{method}, dropping {100 * rate:g}%"
