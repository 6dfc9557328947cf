"""The ledger: what each stage took, what each method saves, where the break-even lies."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from core import words
from core.report.facts import Facts
from core.report.html import paragraph, section, table
from core.report.lines import Line, line_chart
from core.report.svg import STYLES, Axis


def cost(facts: Facts) -> str | None:
    """The section."""
    ledger = facts.summary.get("cost") or {}
    if not ledger.get("stages"):
        return None
    full = ledger.get("full_training_seconds")
    how = "measured" if ledger.get("full_measured") else "estimated"
    said = words.pays(ledger.get("break_even_rate"), ledger.get("budget"))
    said = said[0].upper() + said[1:]
    said += f"; one full training takes {words.clock(full)} ({how})." if full else "."
    return section(
        "cost",
        "What it saves",
        paragraph(said),
        _chart(facts),
        _stages(ledger["stages"]),
    )


def _chart(facts: Facts) -> str | None:
    lines = []
    for style, method in enumerate(facts.methods):
        rows = [
            r
            for r in facts.summary["cost"].get("by_rate") or ()
            if r["method"] == method and method != "full" and r["saving"] is not None
        ]
        rows.sort(key=lambda r: float(r["rate"]))
        if rows:
            places = [float(r["rate"]) for r in rows]
            lines.append(Line(method, style, places, [float(r["saving"]) for r in rows]))
    if lines:
        style = facts.methods.index("full") if "full" in facts.methods else STYLES - 1
        lines.append(Line("full training", style, [], [0.0], level=True))
    return line_chart(
        "Time saved against full training, percent",
        lines,
        Axis("dropped, percent of the training samples", lambda v: f"{round(100 * v, 6):g}"),
        Axis("saved, percent", lambda v: f"{round(100 * v, 6):g}"),
        "Below zero pruning took longer than training on everything. Each method pays for all it "
        "needs: subset training, embedding, search, selection, retraining. Evaluation is no one's.",
    )


def _stages(rows: list[Any]) -> str:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[str(row["stage"])].append(row)
    return table(
        ["stage", "tasks>", "reused>", "seconds>", "sample passes>"],
        [(name, *_sums(group)) for name, group in grouped.items()] + [("all", *_sums(rows))],
        "Where the time went, all seeds together",
    )


def _sums(rows: list[Any]) -> tuple[str, ...]:
    seconds = sum(r["seconds"] or 0.0 for r in rows)
    passes = sum(r["sample_passes"] or 0 for r in rows)
    reused = sum(bool(r["reused"]) for r in rows)
    return str(len(rows)), str(reused), f"{seconds:,.2f}", words.count(passes)
