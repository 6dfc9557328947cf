"""What differs between the cells, what failed, and what one has to know."""

from __future__ import annotations

from typing import Any

from core import words
from core.report.html import bullets, folded, paragraph, section, table, text
from core.report.many.facts import Many


def settings(many: Many) -> str | None:
    """Cells as rows, only the settings that differ as columns."""
    rows = many.found["settings"]
    if not rows:
        return section("settings", "Settings that differ", paragraph("None."))
    cells = [
        (run["label"], run["status"], *(_shown(row["values"][i]) for row in rows))
        for i, run in enumerate(many.found["runs"])
    ]
    return section(
        "settings", "Settings that differ", table(["", "status", *(r["key"] for r in rows)], cells)
    )


def failures(many: Many) -> str | None:
    """Cells without a result, with the reason."""
    if not many.failures:
        return None
    rows = [(f.cell, f.status, f.reason or words.DASH, f.what) for f in many.failures]
    lost = f"{words.plural(len(rows), 'cell')} of {many.planned} without a whole result"
    return section(
        "failures",
        "What is not finished",
        table(["cell", "status", "reason", "what was said"], rows, lost),
    )


def reading(many: Many) -> str | None:
    """The comparison's notes, and one complete spec."""
    first = next(iter(many.runs.values()), None)
    spec = None
    if first is not None:
        body = f"<pre>{text(first.spec.to_yaml())}</pre>"
        spec = folded("The complete spec of the first cell", body)
    return section("reading", "How to read this", bullets(many.found["notes"]), spec)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value) or "none"
    return "null" if value is None else str(value)
