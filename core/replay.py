"""What a journal amounts to, however often the run was killed and resumed.

Two runs did the same when their reductions are equal: same plan, same curves, same correlations,
same sealed outputs, same metrics, same end. Wall-clock facts are left out.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from core import events as ev
from core.journal import Record

# Series that depend on the machine's mood, not on the computation.
_VOLATILE = "device/"


@dataclass
class Series:
    """One curve: parallel lists."""

    step: list[int] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    value: list[float | None] = field(default_factory=list)

    def extend(self, points: ev.Points) -> None:
        """Append a piece."""
        self.step.extend(points.step)
        self.epoch.extend(points.epoch)
        self.value.extend(points.value)

    def truncate(self, step: int) -> None:
        """Forget what lies beyond ``step``."""
        keep = bisect_right(self.step, step)
        del self.step[keep:], self.epoch[keep:], self.value[keep:]


class CompactSeries(Series):
    """The same in arrays, a quarter of the memory; a null value is NaN. For who shows curves."""

    def __init__(self) -> None:
        self.step = array("q")  # type: ignore[assignment]  # has all of a list that is used here
        self.epoch = array("d")  # type: ignore[assignment]  # has all of a list that is used here
        self.value = array("d")  # type: ignore[assignment]  # has all of a list that is used here

    def extend(self, points: ev.Points) -> None:
        """Append a piece."""
        self.step.extend(points.step)
        self.epoch.extend(points.epoch)
        self.value.extend([math.nan if v is None else v for v in points.value])


Curves = dict[str, dict[str, Series]]


def add_points(curves: Curves, event: ev.Points, new: Callable[[], Series] = Series) -> None:
    """Add a piece to the curves of its task; ``new`` makes a series that is not there yet."""
    named = curves.setdefault(event.task, {})
    if event.series not in named:
        named[event.series] = new()
    named[event.series].extend(event)


def drop_after(curves: Curves, event: ev.Resumed) -> None:
    """Apply a resumption: the task's points beyond its step are void."""
    for series in curves.get(event.task, {}).values():
        series.truncate(event.step)


def reduce(records: Iterable[Record]) -> dict[str, Any]:
    """The part of a journal that two equal runs share, as plain comparable values."""
    curves: Curves = {}
    result: dict[str, Any] = {
        "plan": None, "extrapolated": {}, "keys": {}, "metrics": {}, "finished": None,
    }  # fmt: skip
    for record in records:
        event = record.event
        if isinstance(event, ev.Plan):
            result["plan"] = list(event.tasks)
        elif isinstance(event, ev.Points):
            add_points(curves, event)
        elif isinstance(event, ev.Resumed):
            drop_after(curves, event)
        else:
            _reduce_result(result, event)
    result["points"] = {
        task: {n: (s.step, s.epoch, s.value) for n, s in named.items() if s.step}
        for task, named in sorted(_stable(curves).items())
    }
    return result


def _reduce_result(result: dict[str, Any], event: ev.Event) -> None:
    if isinstance(event, ev.Extrapolated):
        about = (event.seed, event.score, event.method, repr(sorted(event.params.items())))
        result["extrapolated"][about] = (event.heldout, event.chosen)
    elif isinstance(event, ev.TaskFinished):
        result["keys"][event.task] = event.key
    elif isinstance(event, ev.TrialFinished):
        result["metrics"][event.trial] = dict(event.metrics)
    elif isinstance(event, ev.RunFinished):
        result["finished"] = (event.status, event.reason)


def _stable(curves: Curves) -> Curves:
    kept = {
        task: {n: s for n, s in named.items() if not n.startswith(_VOLATILE)}
        for task, named in curves.items()
    }
    return {task: named for task, named in kept.items() if named}
