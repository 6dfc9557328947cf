"""Recorded runs in a runs folder of a test's own, and what is known of one without a terminal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from core.runs import Run
from core.sweeps import Sweep
from prunectl.sweep.table import view_of
from prunectl.tui.known import Known
from prunectl.tui.known_sweep import KnownSweep
from prunectl.tui.panels.journal import Log
from prunectl.tui.reading import Pace, RunReader
from prunectl.view import apply

JOURNALS = Path(__file__).parents[2] / "journals"
FINISHED, RESUMED, DIVERGED = "522y-finished", "abcd-resumed", "ozpj-diverged"
SWEEP = "djl2-quickstart-sweep"
LONG_AGO = 1_700_000_000


def copy_runs(folder: Path) -> Path:
    """All recorded runs, of known ages."""
    for age, run in enumerate((FINISHED, RESUMED, DIVERGED)):
        shutil.copytree(JOURNALS / run.partition("-")[2], folder / run)
        os.utime(folder / run / "spec.yaml", (LONG_AGO - age, LONG_AGO - age))
    return folder


def copy_sweep(folder: Path) -> Sweep:
    """The recorded sweep, of a known age."""
    shutil.copytree(JOURNALS / "sweep", folder / SWEEP)
    os.utime(folder / SWEEP / "sweep.yaml", (LONG_AGO, LONG_AGO))
    return Sweep(folder / SWEEP)


def read_sweep(sweep: Sweep) -> KnownSweep:
    """All that a sweep's files say."""
    known = KnownSweep(sweep, view_of(sweep), sweep.state())
    known.read_all = True
    return known


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
