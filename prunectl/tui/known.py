"""What the console knows of one run, and what of it the user wants to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.replay import Series
from core.runs import Run, State
from prunectl.view import View

Floats = NDArray[np.float64]
AXES = ("epoch", "step", "time")
# Shares of the points of a curve over which the mean is taken.
SMOOTHING = (0.0, 0.02, 0.1)
TRAINED = ("score", "reference", "retrain")


@dataclass
class Choice:
    """What the user chose to see. ``tasks`` empty: the task that is at work."""

    axis: str = "epoch"
    log: bool = False
    accuracy: bool = False
    """Accuracy instead of loss, where there is room for one chart only."""
    smoothing: int = 0
    tasks: tuple[str, ...] = ()
    cursor: float | None = None
    seed: int | None = None


@dataclass
class Known:
    """One run as far as it has been read."""

    run: Run
    view: View = field(default_factory=View)
    state: State = field(default_factory=State)
    summary: dict[str, Any] | None = None
    scores: dict[int, dict[str, NDArray[Any]]] = field(default_factory=dict)
    trouble: str = ""
    """Why something could not be read."""
    read_all: bool = False
    """Whether all that the journal held at the start is in the view."""
    arrays: Arrays = field(default_factory=lambda: Arrays())

    @property
    def status(self) -> str:
        """The status for people."""
        return self.state.shown

    def shown_tasks(self, choice: Choice) -> list[str]:
        """Tasks whose curves are shown: the chosen ones, else the one at work or last at work."""
        curves = self.view.curves
        chosen = [t for t in choice.tasks if t in curves]
        if chosen:
            return chosen
        running = self.view.running
        if running and running.id in curves:
            return [running.id]
        trained = self.trained_tasks()
        ended = [(self.view.tasks[t].ended or 0.0, t) for t in trained if t in self.view.tasks]
        return [max(ended)[1]] if ended else trained[-1:]

    def trained_tasks(self) -> list[str]:
        """Tasks that have a training curve, in the order of the plan."""
        order = {task: index for index, task in enumerate(self.view.tasks)}
        found = [
            task
            for task, named in self.view.curves.items()
            if any(not series.startswith("device/") for series in named)
        ]
        return sorted(found, key=lambda task: order.get(task, len(order)))

    def seeds(self) -> list[int]:
        """Seeds that have scores or candidates."""
        return sorted({*self.scores, *(e.seed for e in self.view.extrapolated)})

    def seed(self, choice: Choice) -> int | None:
        """The chosen seed, else the first there is."""
        seeds = self.seeds()
        return choice.seed if choice.seed in seeds else (seeds[0] if seeds else None)


class Arrays:
    """Curves as arrays, grown with their lists: a redraw costs what is new, not what is old."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Grown] = {}

    def of(self, task: str, name: str, series: Series) -> tuple[Floats, Floats, Floats]:
        """Step, epoch, value of a series, each ``[n]`` float64; a null value is NaN."""
        grown = self._held.setdefault((task, name), _Grown())
        grown.follow(series)
        return grown.table[0, : grown.n], grown.table[1, : grown.n], grown.table[2, : grown.n]


class _Grown:
    def __init__(self) -> None:
        self.table = np.empty((3, 64))
        self.n = 0

    def follow(self, series: Series) -> None:
        n = len(series.value)
        if n < self.n or (self.n and series.step[self.n - 1] != self.table[0, self.n - 1]):
            self.n = 0  # a resumption took points back
        if n > self.table.shape[1]:
            wider = np.empty((3, max(n, 2 * self.table.shape[1])))
            wider[:, : self.n] = self.table[:, : self.n]
            self.table = wider
        self.table[0, self.n : n] = series.step[self.n :]
        self.table[1, self.n : n] = series.epoch[self.n :]
        self.table[2, self.n : n] = np.array(series.value[self.n :], dtype=np.float64)
        self.n = n
