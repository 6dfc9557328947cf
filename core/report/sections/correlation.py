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

_SERIES = ("held-out (optimistic)", "reference", "ceiling", "reliability")
_KEYS = ("spearman", "ceiling_spearman", "reliability_spearman")
_OPTIMISTIC = (
    "Held-out is agreement with the subset's own scores on samples that were left out of the fit, "
    "on embeddings of a net that saw them: it is optimistic. "
)
_TRUTH = (
    "Reference is agreement with scores from training on everything, on the samples that were not "
    "scored; ceiling is what the subset's own scores reach against them, and reliability how far "
    "two full runs agree."
)
_NO_TRUTH = "Full-data scores were not computed (reference: none), so the truth is not known."


def correlation(facts: Facts) -> str | None:
    """The section."""
    rows = list(facts.summary.get("extrapolation") or ())
    if not rows:
        return None
    known = any(r.get("reference") for r in rows)
    return section(
        "correlation", "How well the scores were predicted",
        paragraph(_OPTIMISTIC + (_TRUTH if known else _NO_TRUTH)), *_coverage(rows),
        _chart(rows, known), _table(rows, known), _recall(rows),
    )  # fmt: skip


def _coverage(rows: list[Any]) -> list[str]:
    held = words.covered(rows)
    return [paragraph(f"{held}.")] if held else []


def _chart(rows: list[Any], known: bool) -> str | None:
    several = len({r["score"] for r in rows}) > 1
    named = [Row(_name(r, several), tuple(_dots(r))) for r in rows]
    return dot_chart(
        "Rank correlation (Spearman) by seed", [row for row in named if row.dots],
        _SERIES if known else _SERIES[:1],
        Axis("rank correlation; 1 is the same order, 0 is none", "{:g}".format),
        "Bars are 95% bootstrap intervals over the held-out samples; none below 50 samples.",
    )  # fmt: skip


def _name(row: Any, several: bool) -> str:
    return f"{row['score']}, seed {row['seed']}" if several else f"seed {row['seed']}"


def _dots(row: Any) -> list[Dot]:
    heldout, reference = row["heldout"], row.get("reference") or {}
    found = []
    if heldout["spearman"] is not None:
        found.append(Dot(0, heldout["spearman"], heldout["ci_low"], heldout["ci_high"]))
    for style, key in enumerate(_KEYS, start=1):
        if reference.get(key) is not None:
            found.append(Dot(style, reference[key]))
    return found


def _table(rows: list[Any], known: bool) -> str:
    keys = _KEYS if known else ()
    truth = [f"{name}>" for name in _SERIES[1:]] if known else []
    return table(
        ["score", "seed>", "chosen", "held-out, 95% interval", "n>", *truth],
        [
            (
                r["score"], r["seed"], words.params(r.get("chosen")), _heldout(r["heldout"]),
                r["heldout"]["n"],
                *(words.number((r.get("reference") or {}).get(key)) for key in keys),
            )
            for r in rows
        ],
    )  # fmt: skip


def _heldout(heldout: Any) -> str:
    if heldout["spearman"] is None:
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
