"""The whole page about many runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.comparison.build import build
from core.comparison.entries import read_entry, short_labels
from core.files import write_atomic
from core.report.facts import facts_of
from core.report.many.agreement import agreement
from core.report.many.classes import classes
from core.report.many.correlation import correlation
from core.report.many.cost import cost
from core.report.many.facts import Failure, Many
from core.report.many.lead import lead
from core.report.many.settings import failures, reading, settings
from core.report.many.tradeoff import tradeoff
from core.report.page import page
from core.runs import Run

SECTIONS: tuple[Callable[[Many], str | None], ...] = (
    failures, settings, tradeoff, cost, correlation, classes, agreement, reading,
)  # fmt: skip


def many_of(
    title: str, about: str, runs: Mapping[str, Run], failed: Sequence[Failure] = ()
) -> Many:
    """The facts about runs by label. UserError when one of them has no results."""
    entries = [read_entry(run, label) for label, run in runs.items()]
    facts = {label: facts_of(run) for label, run in runs.items()}
    return Many(title, about, facts, build(entries), failed)


def render(many: Many) -> str:
    """The page."""
    written = [f.run.summary_file.stat().st_mtime for f in many.runs.values()]
    made = f", {datetime.fromtimestamp(max(written), UTC):%Y-%m-%d %H:%M} UTC" if written else ""
    byline = f"Data pruning by score extrapolation, {many.about}{made}"
    return page(many.title, byline, lead(many), [section(many) for section in SECTIONS])


def write_runs(runs: Sequence[Run], out: Path) -> Path:
    """Write a page about several runs into ``out``; where it is."""
    labels = short_labels([run.id for run in runs])
    many = many_of(
        f"{len(runs)} runs compared", f"runs {', '.join(run.id for run in runs)}",
        dict(zip(labels, runs, strict=True)),
    )  # fmt: skip
    write_atomic(out, render(many).encode())
    return out
