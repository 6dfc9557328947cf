"""Accuracy against prune rate, with what one may conclude against random pruning."""

from __future__ import annotations

from core import words
from core.report.facts import Facts
from core.report.html import section, table
from core.report.lines import Line, line_chart
from core.report.svg import Axis


def tradeoff(facts: Facts) -> str | None:
    """The section; one chart a metric, and the numbers."""
    parts: list[str | None] = []
    for metric in facts.metrics:
        parts += [_chart(facts, metric), _table(facts, metric)]
    return section("tradeoff", "What it costs in accuracy", *parts)


def _chart(facts: Facts, metric: str) -> str | None:
    lines = [
        line
        for style, method in enumerate(facts.methods)
        if (line := _line(facts, method, metric, style)) is not None
    ]
    few = min(r["n"] for r in facts.summary["tradeoff"] if r["metric"] == metric)
    return line_chart(
        f"{metric.replace('_', ' ').capitalize()} in percent, by the share of samples dropped",
        lines,
        Axis("dropped, percent of the training samples", _percent),
        Axis(f"{metric.replace('_', ' ')}, percent", _percent),
        f"Mean over {words.plural(few, 'seed')}; bands are one standard deviation over the seeds.",
    )


def _line(facts: Facts, method: str, metric: str, style: int) -> Line | None:
    rows = [
        r
        for r in facts.summary["tradeoff"]
        if (r["method"], r["metric"]) == (method, metric) and r["mean"] is not None
    ]
    if not rows:
        return None
    rows.sort(key=lambda r: float(r["rate"]))
    mean = [float(r["mean"]) for r in rows]
    spread = [float(r["std"] or 0.0) for r in rows]
    name = f"{method} (all samples)" if method == "full" else method
    return Line(
        name, style, [float(r["rate"]) for r in rows], mean,
        [m - s for m, s in zip(mean, spread, strict=True)],
        [m + s for m, s in zip(mean, spread, strict=True)], level=method == "full",
    )  # fmt: skip


def _table(facts: Facts, metric: str) -> str:
    rows = [r for r in facts.summary["tradeoff"] if r["metric"] == metric]
    order = {method: place for place, method in enumerate(facts.methods)}
    rows.sort(key=lambda r: (order[r["method"]], r["rate"]))
    return table(
        ["method", "dropped>", "mean>", "std>", "seeds>", "points above random, 95% interval"],
        [
            (
                r["method"], f"{100 * r['rate']:.4g}%", words.percent(r["mean"]),
                words.percent(r["std"]), r["n"], words.versus_random(r["vs_random"]),
            )
            for r in rows
        ],
    )  # fmt: skip


def _percent(value: float) -> str:
    return f"{round(100 * value, 6):g}"
