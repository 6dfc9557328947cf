"""How well the predicted scores order the samples; the optimistic figure is labelled so."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import Any

from core import words
from core.report.dots import Dot, Row, dot_chart
from core.report.facts import Facts
from core.report.html import paragraph, section, table
from core.report.svg import Axis

_HELD_OUT, _UNSEEN = "held-out (optimistic)", "cross-fitted"
_KEYS = {
    "reference": "spearman",
    "ceiling": "ceiling_spearman",
    "reliability": "reliability_spearman",
}
_OPTIMISTIC = (
    "Held-out is agreement with the subset's own scores on samples that were left out of the fit, "
    "on embeddings of a net that saw them: it is optimistic. "
)
_TRUTH = (
    "Reference is agreement with scores from training on everything, on the samples that were not "
    "scored; ceiling is what the subset's own scores reach against them, and reliability how far "
    "two full runs agree."
)
_BETTER = (
    "Cross-fitted is preferred: the same samples, predicted by nets that never saw them; it is "
    "still agreement with the subset's own scores, and cannot say how near the truth these are. "
)
_NO_TRUTH = "Full-data scores were not computed (reference: none), so the truth is not known."


def correlation(facts: Facts) -> str | None:
    """The section."""
    rows = list(facts.summary.get("extrapolation") or ())
    if not rows:
        return None
    known = any(r.get("reference") for r in rows)
    better = _BETTER if _cross_fitted(rows) else ""
    return section(
        "correlation", "How well the scores were predicted",
        paragraph(_OPTIMISTIC + better + (_TRUTH if known else _NO_TRUTH)), *_coverage(rows),
        _chart(rows, known), _table(rows, known), _recall(rows),
    )  # fmt: skip


def _cross_fitted(rows: list[Any]) -> bool:
    return any(r.get("crossfit") for r in rows)


def _coverage(rows: list[Any]) -> list[str]:
    said = [
        words.covered(rows),
        *words.of_generated(rows).splitlines(),
        *words.ended(rows).splitlines(),
    ]
    return [paragraph(f"{text}.") for text in said if text]


def _chart(rows: list[Any], known: bool) -> str | None:
    several = len({r["score"] for r in rows}) > 1
    series = [_HELD_OUT, *([_UNSEEN] if _cross_fitted(rows) else []), *(_KEYS if known else ())]
    named = [Row(_name(r, several), tuple(_dots(r, series))) for r in rows]
    return dot_chart(
        "Rank correlation (Spearman) by seed", [row for row in named if row.dots],
        series,
        Axis("rank correlation; 1 is the same order, 0 is none", "{:g}".format),
        "Bars are 95% bootstrap intervals over the held-out samples; none below 50 samples.",
    )  # fmt: skip


def _name(row: Any, several: bool) -> str:
    return f"{row['score']}, seed {row['seed']}" if several else f"seed {row['seed']}"


def _dots(row: Any, series: list[str]) -> list[Dot]:
    found = []
    for name, about in ((_HELD_OUT, row["heldout"]), (_UNSEEN, row.get("crossfit"))):
        if about and about["spearman"] is not None:
            low, high = about["ci_low"], about["ci_high"]
            found.append(Dot(series.index(name), about["spearman"], low, high))
    reference = row.get("reference") or {}
    for name, key in _KEYS.items():
        if reference.get(key) is not None:
            found.append(Dot(series.index(name), reference[key]))
    return found


def _table(rows: list[Any], known: bool) -> str:
    truth = _KEYS if known else {}
    unseen = ["cross-fitted, 95% interval"] if _cross_fitted(rows) else []
    return table(
        ["score", "seed>", "chosen", *unseen, "held-out, 95% interval", "n>",
         *(f"{name}>" for name in truth)],
        [
            (
                r["score"], r["seed"], words.params(r.get("chosen")),
                *(_heldout(r.get("crossfit")) for _ in unseen), _heldout(r["heldout"]),
                r["heldout"]["n"],
                *(words.number((r.get("reference") or {}).get(key)) for key in truth.values()),
            )
            for r in rows
        ],
    )  # fmt: skip


def _heldout(heldout: Any) -> str:
    if not heldout or heldout["spearman"] is None:
        return "undefined"
    span = words.interval(heldout["ci_low"], heldout["ci_high"]) or "(no interval)"
    return f"{heldout['spearman']:.3f} {span}"


def _recall(rows: list[Any]) -> str | None:
    by_rate: dict[float, list[float]] = defaultdict(list)
    for row in rows:
        for entry in (row.get("reference") or {}).get("kept_recall") or ():
            if entry["value"] is not None:
                by_rate[float(entry["rate"])].append(float(entry["value"]))
    if not by_rate:
        return None
    return table(
        ["dropped>", "kept of the best>", "by chance>"],
        [
            (f"{100 * r:g}%", f"{words.percent(fmean(v), 1)}%", f"{words.percent(1 - r, 1)}%")
            for r, v in sorted(by_rate.items())
        ],
        "Of the samples that full-data scores would keep, how many were kept",
    )
