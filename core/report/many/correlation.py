"""Does predicting the scores better bring accuracy? Correlation against accuracy, cell by cell."""

from __future__ import annotations

from core.report.html import section
from core.report.many.facts import Many, Row, percent, plain
from core.report.scatter import Spot, scatter_chart
from core.report.svg import STYLES, Axis

_KINDS = (
    (
        "reference",
        "rank correlation with full-data scores",
        "Correlation with the scores of training on everything, on samples that were not scored.",
    ),
    (
        "heldout",
        "rank correlation, held-out (optimistic)",
        "Held-out is agreement with the subset's own scores and is optimistic: no run of this "
        "report knows full-data scores.",
    ),
)


def correlation(many: Many) -> str | None:
    """The section; the true correlation where every cell knows it, else the optimistic one."""
    parts = [
        _chart(many, group, metric) for group in many.groups for metric in many.metrics(group)[:1]
    ]
    return section("correlation", "Correlation against accuracy", *parts)


def _chart(many: Many, group: Row, metric: str) -> str | None:
    labels = group["runs"]
    told = {kind: [many.correlation(label, kind) for label in labels] for kind, _, _ in _KINDS}
    kind, name, note = next((k for k in _KINDS if None not in told[k[0]]), _KINDS[-1])
    known = dict(zip(labels, told[kind], strict=True))
    own = [s for s in many.series(group, metric) if s.own]
    rates = sorted({float(r["rate"]) for s in own for r in s.rows})[:STYLES]
    spots = [
        Spot(rates.index(r["rate"]), at, r["mean"], f"{s.name}, dropping {100 * r['rate']:g}%")
        for s in own
        for r in s.rows
        if (at := known[s.labels[0]]) is not None and r["rate"] in rates
    ]
    if len({spot.x for spot in spots}) < 2:
        return None
    return scatter_chart(
        f"{plain(metric).capitalize()} by how well the scores were predicted", spots,
        [(style, f"dropping {100 * rate:g}%") for style, rate in enumerate(rates)],
        Axis(name, "{:g}".format), Axis(f"{plain(metric)}, percent", percent),
        f"One mark a cell and rate, means over the seeds. {note}",
    )  # fmt: skip
