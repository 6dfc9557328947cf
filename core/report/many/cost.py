"""Accuracy against total cost, with the Pareto front."""

from __future__ import annotations

from core import words
from core.report.html import section, table
from core.report.many.facts import Many, Row, Series, percent, plain
from core.report.scatter import Spot, scatter_chart
from core.report.svg import STYLES, Axis


def cost(many: Many) -> str | None:
    """The section: a chart in sample passes, one in seconds where those can be compared."""
    parts: list[str | None] = []
    for group in many.groups:
        for metric in many.metrics(group)[:1]:
            series = many.series(group, metric)
            kinds = ["passes", "seconds"] if group["seconds_comparable"] else ["passes"]
            parts += [_chart(series, metric, kind) for kind in kinds]
            parts.append(_front(series, metric))
    return section("cost", "What it costs in all", *parts)


def _chart(series: list[Series], metric: str, kind: str) -> str | None:
    methods = list(dict.fromkeys(s.method for s in series))
    placed = [(s, r) for s in series for r in s.rows if r[f"loop_{kind}"] is not None]
    spots = [
        Spot(
            min(methods.index(s.method), STYLES - 1), float(r[f"loop_{kind}"]), float(r["mean"]),
            f"{s.name}, dropping {100 * r['rate']:.4g}%",
        )
        for s, r in placed
    ]  # fmt: skip
    front = [(float(r[f"loop_{kind}"]), float(r["mean"])) for _, r in placed if r[f"front_{kind}"]]
    named = [(style, name) for style, name in enumerate(methods[: STYLES - 1])]
    if len(methods) >= STYLES:
        named.append((STYLES - 1, ", ".join(methods[STYLES - 1 :])))
    unit = "sample passes" if kind == "passes" else "seconds"
    return scatter_chart(
        f"{plain(metric).capitalize()} by total cost in {unit}", spots, named,
        Axis(f"{unit} of one seed's loop, everything the method needs included", _thousands, 0.0),
        Axis(f"{plain(metric)}, percent", percent),
        "One mark a method, cell and rate, means over the seeds. The steps are the Pareto front: "
        "nothing is both cheaper and better than what lies on it.", front,
    )  # fmt: skip


def _front(series: list[Series], metric: str) -> str | None:
    rows = [(s, r) for s in series for r in s.rows if r["front_seconds"] or r["front_passes"]]
    if not rows:
        return None
    rows.sort(key=lambda pair: (pair[1]["loop_passes"] is None, pair[1]["loop_passes"] or 0.0))
    return table(
        ["on the front", "dropped>", f"{plain(metric)}>", "sample passes>", "seconds>", "best at"],
        [
            (
                s.name, f"{100 * r['rate']:.4g}%", words.percent(r["mean"]),
                words.count(r["loop_passes"]), _seconds(r["loop_seconds"]), _fronts(r),
            )
            for s, r in rows
        ],
        "The Pareto front, by means",
    )  # fmt: skip


def _fronts(row: Row) -> str:
    return ", ".join(kind for kind in ("passes", "seconds") if row[f"front_{kind}"])


def _seconds(value: float | None) -> str:
    return words.DASH if value is None else f"{value:,.2f}"


def _thousands(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"
