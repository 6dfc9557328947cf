"""The MLflow runs to be, with their params, tags, numbers and curves. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core import events as ev
from core.sinks import names

PARENT = "run"
RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"
_SAME = 1e-9


@dataclass(frozen=True)
class Point:
    """One value: step (epoch), wall-clock time (ms), value (NaN when undefined)."""

    step: int
    ms: int
    value: float


@dataclass(frozen=True)
class Data:
    """A dataset a run used: the training data, or the samples a trial kept."""

    name: str
    digest: str
    context: str
    source: Mapping[str, Any]
    profile: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class EpochCurve:
    """A series by optimiser step, reduced to the mean of each epoch."""

    raw: list[tuple[int, float, float, int]] = field(default_factory=list)
    """(step, epoch, value, ms) of every recorded point; dropped when the task is finished."""
    closed: list[Point] | None = None

    def add(self, points: ev.Points, ms: int) -> None:
        """A piece of the series; of a finished task nothing more is taken."""
        if self.closed is None:
            values = (names.number(v) for v in points.value)
            whole = zip(points.step, points.epoch, values, strict=True)
            self.raw += [(s, e, v, ms) for s, e, v in whole]

    def drop_after(self, step: int) -> None:
        """Forget what a resumed task does again."""
        self.raw = [point for point in self.raw if point[0] <= step]

    def close(self) -> None:
        """The task is finished: its last epoch is over, whole or not."""
        if self.closed is None:
            self.closed = self._means(over=True)
            self.raw = []

    def points(self) -> list[Point]:
        """The epochs that are over."""
        return self.closed if self.closed is not None else self._means(over=False)

    def _means(self, *, over: bool) -> list[Point]:
        groups: dict[int, list[tuple[int, float, float, int]]] = {}
        for point in self.raw:
            groups.setdefault(math.ceil(point[1] - _SAME), []).append(point)
        if groups and not over:
            last = max(groups)
            if groups[last][-1][1] < last - _SAME:
                del groups[last]
        return [Point(e, g[-1][3], _mean([p[2] for p in g])) for e, g in sorted(groups.items())]


@dataclass
class Node:
    """One MLflow run to be."""

    id: str
    name: str
    start_ms: int
    params: dict[str, str]
    tags: dict[str, str]
    values: dict[str, Point] = field(default_factory=dict)
    curves: dict[str, EpochCurve] = field(default_factory=dict)
    status: str = RUNNING
    end_ms: int | None = None
    data: list[Data] = field(default_factory=list)
    fresh: bool = True
    """Something was added since the node was last sent; cleared by the sender."""

    def tell(self, key: str, value: float | None, ms: int) -> None:
        """A single number, told once. Undefined: NaN, and a tag that says so."""
        self.fresh, name = True, names.key(key)
        if name not in self.values and len(self.values) + len(self.curves) < names.MAX_METRIC_KEYS:
            self.values[name] = Point(0, ms, names.number(value))
            if math.isnan(self.values[name].value):
                self.tags[names.key(f"undefined.{key}")] = "true"

    def metrics(self) -> dict[str, list[Point]]:
        """Everything that is known and final, by key."""
        found = {key: [point] for key, point in self.values.items()}
        found |= {key: points for key, c in self.curves.items() if (points := c.points())}
        return found

    def end(self, status: str, ms: int) -> None:
        """Close the node."""
        self.fresh, self.status, self.end_ms = True, status, ms
        if status == FINISHED:
            for curve in self.curves.values():
                curve.close()

    def go_on(self) -> None:
        """Open the node again: the run was resumed."""
        self.fresh, self.status, self.end_ms = True, RUNNING, None


def _mean(values: list[float]) -> float:
    """Mean of the defined values; NaN without one."""
    defined = [v for v in values if not math.isnan(v)]
    return sum(defined) / len(defined) if defined else math.nan
