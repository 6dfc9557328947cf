"""What the console knows of one run, and what of it the user wants to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.predicted import Predicted
from core.replay import CompactSeries, Series
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
    metric: str = "test_accuracy"
    """What the trade-off shows, where the run has it."""


@dataclass
class Known:
    """One run as far as it has been read."""

    run: Run
    view: View = field(default_factory=lambda: View(series=CompactSeries))
    state: State = field(default_factory=State)
    summary: dict[str, Any] | None = None
    predicted: Predicted | None = None
    scores: dict[int, dict[str, NDArray[Any]]] = field(default_factory=dict)
    trouble: str = ""
    """Why something could not be read."""
    read_all: bool = False
    """Whether all that the journal held at the start is in the view."""

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


def column(series: Series, name: str) -> Floats:
    """``step``, ``epoch`` or ``value`` of a series, ``[n]`` float64; a null value is NaN. A copy,
    because the series may grow meanwhile."""
    return np.array(getattr(series, name), dtype=np.float64)
