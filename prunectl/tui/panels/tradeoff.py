"""Accuracy against prune rate: mean and spread of each method, and from where on pruning pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from prunectl import words
from prunectl.tui.charts.band import Band, band_chart
from prunectl.tui.charts.line import Axes
from prunectl.tui.charts.series import Curve
from prunectl.tui.drawing import Line, Look, clean, columns, fit_line
from prunectl.tui.known import Choice, Known

METRICS = {"test_accuracy": "test accuracy", "test_robust_accuracy": "robust accuracy"}


@dataclass(frozen=True)
class Point:
    """Accuracy of one method at one rate over the seeds."""

    method: str
    rate: float
    mean: float
    std: float | None
    n: int
    versus: Mapping[str, Any] | None = None


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """The chart, and below it the numbers where there is room."""
    metric = metric_shown(known, choice)
    found = points(known, metric)
    table = _table(found, width) if found and height >= 10 else []
    room = height - len(table) - 2
    if room < 8:  # the chart first
        table, room = table[: max(height - 10, 0)], min(height - 1, max(height - len(table), 8))
    if len(table) < 3:
        table = []  # a head and no body says nothing
    upright = _break_even(known)
    chart = band_chart(_bands(found), width, height - len(table) - 1, look, _AXES, upright)
    return [*chart, fit_line([*_which(known, metric), *_pays(known, width, look)], width), *table][
        :height
    ]


def metrics(known: Known) -> list[str]:
    """Accuracies that the run's trials have, the plain one first."""
    entries = (known.summary or {}).get("tradeoff") or []
    found = {str(e.get("metric")) for e in entries if e.get("mean") is not None}
    found |= {name for trial in known.view.metrics.values() for name in trial}
    return [name for name in METRICS if name in found]


def metric_shown(known: Known, choice: Choice) -> str:
    """The chosen accuracy where the run has it, else the plain one."""
    return choice.metric if choice.metric in metrics(known) else next(iter(METRICS))


def _which(known: Known, metric: str) -> Line:
    """Which accuracy it is, where there are several."""
    if len(metrics(known)) < 2:
        return []
    return [(METRICS[metric], "strong"), ("  ", "")]


def _pays(known: Known, width: int, look: Look) -> Line:
    cost = (known.summary or {}).get("cost")
    if not cost:
        return []
    said = words.pays(cost.get("break_even_rate"), cost.get("budget"))
    if len(said) + 2 > width:
        said = said.partition(":")[0]
    return [(f"{look.mark('┊', ':')} ", "warn"), (said, "dim")]


def _break_even(known: Known) -> float | None:
    cost = (known.summary or {}).get("cost") or {}
    value = cost.get("break_even_rate")
    return float(value) if value is not None else None


def points(known: Known, metric: str = "test_accuracy") -> list[Point]:
    """From the summary; while there is none, from what the trials have said so far."""
    entries = [
        e for e in (known.summary or {}).get("tradeoff") or []
        if e.get("metric") == metric and e.get("mean") is not None
    ]  # fmt: skip
    if entries:
        return [
            Point(str(e["method"]), float(e["rate"]), float(e["mean"]), e.get("std"),
                  int(e.get("n") or 0), e.get("vs_random"))
            for e in entries
        ]  # fmt: skip
    groups: dict[tuple[str, float], list[float]] = {}
    for trial, named in known.view.metrics.items():
        about, value = trial_parts(trial), named.get(metric)
        if about and value is not None:
            groups.setdefault(about, []).append(value)
    return [
        Point(method, rate, float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else None,
              len(v))
        for (method, rate), v in groups.items()
    ]  # fmt: skip


def trial_parts(trial: str) -> tuple[str, float] | None:
    """Method and rate of ``s<seed>-<method>-<policy>-r<rate>``; None for another text."""
    parts = trial.split("-")
    try:
        return parts[1], float(parts[-1].removeprefix("r"))
    except (IndexError, ValueError):
        return None


def _bands(found: list[Point]) -> list[Band]:
    methods = list(dict.fromkeys(p.method for p in found))
    bands = []
    for number, method in enumerate(methods):
        own = sorted((p for p in found if p.method == method), key=lambda p: p.rate)
        x, y = np.array([p.rate for p in own]), np.array([p.mean for p in own])
        spread = np.array([np.nan if p.std is None else p.std for p in own])
        bands.append(Band(Curve(clean(method), x, y, number), spread))
    return bands


def _table(found: list[Point], width: int) -> list[Line]:
    head = ["method", "rate", "accuracy", "std", "n", "against random"]
    rows: list[list[tuple[str, str]]] = [[(name, "dim") for name in head]]
    for p in sorted(found, key=lambda p: (p.rate, p.method)):
        rows.append([
            (clean(p.method), "text"), (f"{p.rate:.2f}", "text"), (words.percent(p.mean), "strong"),
            (words.percent(p.std), "dim"), (str(p.n), "dim"), _versus(p.versus, width < 76),
        ])  # fmt: skip
    return [fit_line(line, width) for line in columns(rows, right=(1, 2, 3, 4))]


def _versus(difference: Mapping[str, Any] | None, brief: bool) -> tuple[str, str]:
    """The difference; brief without its interval."""
    said = words.versus_random(difference)
    style = "good" if said.endswith("better") else "bad" if said.endswith("worse") else "dim"
    if brief and "]" in said:
        verdict = "" if style == "dim" else said.rpartition("]")[2]
        said = said.partition(" ")[0] + verdict
    return ("" if said == words.DASH else said), style


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%" if abs(value) >= 0.9995 else f"{100 * value:.1f}%"


_AXES = Axes(x_name="share pruned", x_label=lambda v: f"{max(v, 0):.2f}", y_label=_percent)
