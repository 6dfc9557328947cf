"""The report of one run, and writing it. A report of a sweep will be other sections on one page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from core.files import read_json, write_atomic, write_json
from core.report.facts import Facts, facts_of
from core.report.lead import lead
from core.report.page import page
from core.report.sections.classes import classes
from core.report.sections.correlation import correlation
from core.report.sections.cost import cost
from core.report.sections.curves import curves
from core.report.sections.dropped import dropped
from core.report.sections.scores import scores
from core.report.sections.settings import settings
from core.report.sections.sheets import sheets
from core.report.sections.tradeoff import tradeoff
from core.runs import REPORT, Run

SECTIONS: tuple[Callable[[Facts], str | None], ...] = (
    tradeoff, cost, correlation, scores, sheets, dropped, classes, curves, settings,
)  # fmt: skip


def render(facts: Facts) -> str:
    """The whole page of a run."""
    summary = facts.summary
    made = datetime.fromtimestamp(facts.run.summary_file.stat().st_mtime, UTC)
    byline = f"Data pruning by score extrapolation, run {summary['run']}, {made:%Y-%m-%d %H:%M} UTC"
    title = f"{summary['name']}: which samples of {summary['data']['name']} can be dropped"
    return page(title, byline, lead(facts), [section(facts) for section in SECTIONS])


def write_report(run: Run, out: Path | None = None) -> Path:
    """Write the run's report into ``out``, or into its folder and name it in the summary; where it
    is. UserError when the run has no results yet."""
    markup = render(facts_of(run)).encode()
    target = out or run.path / REPORT
    write_atomic(target, markup)
    summary = read_json(run.summary_file)
    if out is None and summary["artifacts"]["report"] != REPORT:
        summary["artifacts"]["report"] = REPORT
        write_json(run.summary_file, summary)
    return target
