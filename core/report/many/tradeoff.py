"""Accuracy against prune rate of every cell, and the paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core import words
from core.report.html import bullets, section, table
from core.report.lines import Line, line_chart
from core.report.many.facts import Many, Row, Series, percent, plain
from core.report.svg import STYLES, Axis

_CHARTS = 4


def tradeoff(many: Many) -> str | None:
    """The section: charts of at most as many curves as can be told apart, and the numbers."""
    parts: list[str | None] = []
    for group in many.groups:
        for metric in many.metrics(group):
            series = many.series(group, metric)
            parts += _charts(metric, series, len(group["runs"]), _where(many, group))
            parts.append(_table(many, series, metric))
        parts.append(bullets(group["verdicts"]) if group["verdicts"] else None)
    return section("tradeoff", "What pruning costs in accuracy", *parts)


def _where(many: Many, group: Row) -> str:
    return f" on {group['data']['name']}" if len(many.groups) > 1 else ""


def _charts(metric: str, series: Sequence[Series], runs: int, where: str) -> Iterator[str | None]:
    """Charts of the runs' own methods, then of the baselines that some runs share; the baselines
    of all runs are in each."""
    everywhere = [s for s in series if not s.own and len(s.labels) == runs][: STYLES - 2]
    rest = [s for s in series if not s.own and s not in everywhere]
    name = f"{plain(metric)} in percent, by share of samples dropped{where}"
    yield from _some(name, [s for s in series if s.own], everywhere, metric)
    if rest:
        yield from _some(f"other baselines: {name}", rest, everywhere, metric)


def _some(
    name: str, several: Sequence[Series], everywhere: Sequence[Series], metric: str
) -> Iterator[str | None]:
    room = STYLES - len(everywhere)
    note = "Means over the seeds; bands are one standard deviation."
    shown = list(several)
    if len(shown) > room * _CHARTS:
        note = f"The {room * _CHARTS} of {len(shown)} best at their last rate, by means. {note}"
        shown = sorted(shown, key=lambda s: -float(s.rows[-1]["mean"]))[: room * _CHARTS]
    for start in range(0, max(1, len(shown)), room):
        part = f" ({start // room + 1})" if len(shown) > room else ""
        lines = [_line(style, one) for style, one in enumerate(shown[start : start + room])]
        # What is in every chart looks the same in each.
        lines += [_line(room + place, one) for place, one in enumerate(everywhere)]
        yield line_chart(
            name[:1].upper() + name[1:] + part,
            lines,
            Axis("dropped, percent of the training samples", percent),
            Axis(f"{plain(metric)}, percent", percent), note,
        )  # fmt: skip


def _line(style: int, series: Series) -> Line:
    mean = [float(r["mean"]) for r in series.rows]
    spread = [float(r["std"] or 0.0) for r in series.rows]
    name = f"{series.name} (all samples)" if series.method == "full" else series.name
    return Line(
        name, style, [float(r["rate"]) for r in series.rows], mean,
        [m - s for m, s in zip(mean, spread, strict=True)],
        [m + s for m, s in zip(mean, spread, strict=True)], level=series.method == "full",
    )  # fmt: skip


def _table(many: Many, series: Sequence[Series], metric: str) -> str:
    base = many.found["baseline"]["method"]
    return table(
        ["", "policy", "dropped>", "mean>", "std>", "seeds>", f"points above {base}, 95% interval"],
        [
            (
                one.name, one.policy or words.DASH, f"{100 * r['rate']:.4g}%",
                words.percent(r["mean"]), words.percent(r["std"]), r["n"],
                words.versus_random(r["versus"]),
            )
            for one in series
            for r in one.rows
        ],
        f"{plain(metric).capitalize()}, percent; differences are paired by seed",
    )  # fmt: skip
