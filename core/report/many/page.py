"""The whole page about many runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.comparison.build import build
from core.comparison.cells import Ended, cells_of
from core.comparison.entries import read_entry
from core.data.bank import Dataset
from core.files import write_atomic
from core.report.facts import facts_of
from core.report.many.agreement import agreement
from core.report.many.classes import classes
from core.report.many.correlation import correlation
from core.report.many.cost import cost
from core.report.many.facts import Many
from core.report.many.lead import lead
from core.report.many.settings import failures, reading, settings
from core.report.many.tradeoff import tradeoff
from core.report.page import page
from core.runs import REPORT, Run
from core.sweeps import Sweep

SECTIONS: tuple[Callable[[Many], str | None], ...] = (
    failures, settings, tradeoff, cost, correlation, classes, agreement, reading,
)  # fmt: skip


def many_of(title: str, about: str, runs: Mapping[str, Run], failed: Sequence[Ended] = ()) -> Many:
    """The facts about runs by label. UserError when one of them has no results."""
    entries = [read_entry(run, label) for label, run in runs.items()]
    opened: dict[str, tuple[Dataset | None, str]] = {}
    facts = {label: facts_of(run, opened) for label, run in runs.items()}
    return Many(title, about, facts, build(entries), failed)


def render(many: Many) -> str:
    """The page."""
    written = [f.run.summary_file.stat().st_mtime for f in many.runs.values()]
    made = f", {datetime.fromtimestamp(max(written), UTC):%Y-%m-%d %H:%M} UTC" if written else ""
    byline = f"Data pruning by score extrapolation, {many.about}{made}"
    return page(many.title, byline, lead(many), [section(many) for section in SECTIONS])


def write_runs(runs: Mapping[str, Run], out: Path) -> Path:
    """Write a page about several runs, by label, into ``out``; where it is."""
    ids = ", ".join(run.id for run in runs.values())
    many = many_of(f"{len(runs)} runs compared", f"runs {ids}", runs)
    write_atomic(out, render(many).encode())
    return out


def write_sweep(sweep: Sweep, out: Path | None = None) -> Path:
    """Write the page about a sweep's cells into ``out``, or into its folder; where it is. UserError
    when no cell has a result yet."""
    cells = cells_of(sweep)
    name = sweep.spec().name
    title = f"{name}: {len(cells.runs)} ways to drop samples, compared"
    many = many_of(title, f"sweep {sweep.id}", cells.runs, cells.others)
    target = out or sweep.path / REPORT
    write_atomic(target, render(many).encode())
    return target
