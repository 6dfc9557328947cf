"""What the console would do without its care, so that the benchmark shows what the care is worth.

Each of these is the obvious way: read everything before showing anything, keep points in lists and
draw them all, read and draw all anew at every turn, decode whole tables where they are shown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.artifacts import read_scores
from core.journal import read
from core.runs import Run, list_runs
from core.spec_load import parse_spec, read_yaml
from prunectl.view import View, apply


def rows(folder: Path) -> int:
    """Each run's spec parsed and its journal replayed, as the screen of one run needs them."""
    views = []
    for run in list_runs(folder):
        parse_spec(read_yaml(run.spec_file), str(run.spec_file))
        run.summary()
        views.append(_replayed(run))
    return len(views)


def long(folder: Path) -> int:
    """All records held, points in lists, every point put into its cell."""
    records = list(read(Run(folder).journal))
    view = View()
    for record in records:
        apply(view, record)
    return sum(_every_point(s.value) for named in view.curves.values() for s in named.values())


def charts() -> int:
    """Six charts of four series, every point put into its cell."""
    rng = np.random.default_rng(0)
    four = [rng.normal(size=100_000) for _ in range(4)]
    return sum(_every_point(values.tolist()) for _ in range(6) for values in four)


def large(folder: Path) -> int:
    """The whole table with its texts, everything sorted for one page."""
    table = read_scores(Run(folder), 0)
    score = table["dynamic_uncertainty"].astype(float)
    order = np.argsort(-score, kind="stable")
    return len([table["path"][i] for i in order[:30]]) + len(order[::-1])


def careless() -> None:
    """Make the screen of a run read its journal anew and draw all panels at every turn and key, and
    a turn be every quarter of a second, whether there is news or not."""
    from prunectl.tui.screens.run import RunScreen
    from prunectl.tui.widgets.panel import Panel

    def redraw_all(self: Any, names: object = None) -> None:
        self.known.view = _replayed(self.known.run)
        for panel in self.query(Panel):
            panel.redraw()

    mount: Callable[[Any], None] = RunScreen.on_mount

    def on_mount(self: Any) -> None:
        mount(self)
        self.set_interval(0.25, lambda: redraw_all(self))

    RunScreen._redraw = redraw_all  # type: ignore[method-assign]  # the naive side replaces it
    RunScreen.on_mount = on_mount  # type: ignore[method-assign]  # the naive side replaces it


def _replayed(run: Run) -> View:
    view = View()
    for record in read(run.journal):
        apply(view, record)
    return view


def _every_point(values: list[float]) -> int:
    low, high = min(values), max(values)
    up = (high - low) or 1.0
    cells = {(i * 60 // len(values), int((v - low) / up * 13)) for i, v in enumerate(values)}
    return len(cells)


if __name__ == "__main__":
    from prunectl.cli.main import main

    careless()
    sys.argv[0] = "prunectl"
    main()
