"""What a report of many runs is made of: their comparison, their files, what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from core.comparison.cells import Ended
from core.comparison.predictions import BySeed
from core.report.facts import Facts

Row = Mapping[str, Any]
MAIN = "test_accuracy"


@dataclass(frozen=True)
class Series:
    """The rows of one method of one run, or of several runs that share them, by rising rate."""

    labels: tuple[str, ...]
    method: str
    policy: str | None
    rows: tuple[Row, ...]
    name: str
    own: bool
    """Whether it is the method that the run is about."""


@dataclass(frozen=True)
class Many:
    """The runs of a report. ``found`` is what :func:`core.comparison.build.build` gives."""

    title: str
    about: str
    """Whose page it is, for the line below the title."""
    runs: Mapping[str, Facts]
    """By label."""
    found: Row
    failures: Sequence[Ended]
    """Cells that are not finished, whether or not some of their results are among the runs."""

    @property
    def planned(self) -> int:
        """Runs with and without a result."""
        return len({*self.runs, *(failure.cell for failure in self.failures)})

    @property
    def groups(self) -> Sequence[Row]:
        """Runs on the same data."""
        groups: Sequence[Row] = self.found["groups"]
        return groups

    def metrics(self, group: Row) -> list[str]:
        """Names of the metrics, test accuracy first."""
        named = dict.fromkeys(str(row["metric"]) for row in group["rows"])
        return sorted(named, key=lambda name: name != MAIN)

    def series(self, group: Row, metric: str) -> list[Series]:
        """All series of a metric, the runs' own methods first."""
        grouped: dict[tuple[Any, ...], list[Row]] = {}
        for row in group["rows"]:
            if row["metric"] == metric and row["mean"] is not None:
                key = (tuple(row["runs"]), row["method"], row["policy"])
                grouped.setdefault(key, []).append(row)
        sharers = Counter((method, policy) for _, method, policy in grouped)
        methods = {run["label"]: run["method"] for run in self.found["runs"]}
        alike = len({methods[label] for label in group["runs"]}) == 1
        found = []
        for (labels, method, policy), rows in grouped.items():
            own = methods[labels[0]] == method
            name = _name(labels, method, group, own, alike)
            if len(labels) > 1 and name != method and sharers[method, policy] == 1:
                name = f"{method}, {policy}"  # the policy is what these runs have in common
            rows.sort(key=lambda r: float(r["rate"]))
            found.append(Series(labels, method, policy, tuple(rows), name, own))
        return sorted(found, key=lambda s: not s.own)

    def predictions(self, label: str, method: str, rate: float) -> BySeed:
        """Predicted classes of the test samples by seed."""
        facts = self.runs[label]
        told = {int(t["seed"]): facts.predictions(t) for t in facts.of(method, rate)}
        return {seed: values for seed, values in told.items() if values is not None}

    def correlation(self, label: str, kind: str) -> float | None:
        """Mean over seeds of the rank correlation, ``reference`` or ``heldout``."""
        facts = self.runs[label]
        rows = facts.summary.get("extrapolation") or ()
        values = [(r.get(kind) or {}).get("spearman") for r in rows if r["score"] == facts.score]
        known = [v for v in values if v is not None]
        return fmean(known) if known else None


def _name(labels: tuple[str, ...], method: str, group: Row, own: bool, alike: bool) -> str:
    if len(labels) == len(group["runs"]) and (len(labels) > 1 or not own):
        return method
    several = f"{labels[0]} and {len(labels) - 1} more" if len(labels) > 1 else labels[0]
    return several if own and alike else f"{several}, {method}"


def percent(value: float) -> str:
    """A tick of an axis of fractions."""
    return f"{round(100 * value, 6):g}"


def plain(metric: str) -> str:
    """A metric's name in words."""
    return metric.replace("_", " ")
