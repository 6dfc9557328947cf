"""Recorded runs in a runs folder of a test's own, and what is known of one without a terminal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from core.runs import Run
from prunectl.tui.known import Known
from prunectl.tui.panels.journal import Log
from prunectl.tui.reading import Pace, RunReader
from prunectl.view import apply

JOURNALS = Path(__file__).parents[2] / "journals"
FINISHED, RESUMED, DIVERGED = "522y-finished", "abcd-resumed", "ozpj-diverged"
LONG_AGO = 1_700_000_000


def copy_runs(folder: Path) -> Path:
    """All recorded runs, of known ages."""
    for age, run in enumerate((FINISHED, RESUMED, DIVERGED)):
        shutil.copytree(JOURNALS / run.partition("-")[2], folder / run)
        os.utime(folder / run / "spec.yaml", (LONG_AGO - age, LONG_AGO - age))
    return folder


def read(run: Run) -> tuple[Known, Log]:
    """What a reader tells of a run, taken in as the screen does."""
    known, log = Known(run), Log()
    reader = RunReader(run, Pace(0.0), lambda _: None)
    while True:
        news = reader.look()
        for record in news.records:
            apply(known.view, record)
            log.add(record)
        known.state = news.state or known.state
        known.summary = news.summary or known.summary
        known.predicted = news.predicted or known.predicted
        known.scores.update(news.scores)
        known.trouble = news.trouble or known.trouble
        known.read_all = known.read_all or news.read_all
        if news.empty:
            return known, log
