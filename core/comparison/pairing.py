"""Against what a figure is compared: the baseline's figure of the same data, rate and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.comparison.entries import Entry, Point, rate_text
from core.errors import UserError, nearest
from core.stats import distinguishable, paired, words

USUAL = "random"


@dataclass(frozen=True)
class Baseline:
    """A method, each run's own where it has one; or the own method of one run."""

    method: str
    run: Entry | None = None

    @property
    def name(self) -> str:
        """How it is called in words."""
        return self.method if self.run is None else f"{self.run.label} ({self.method})"


@dataclass(frozen=True)
class Partner:
    """The figure to compare with, or why there is none."""

    point: Point | None = None
    owner: Entry | None = None
    why: str = ""


def choose(entries: Sequence[Entry], text: str | None) -> Baseline:
    """The baseline by the name of a method or by a run's id, label or unique prefix. None: random.
    UserError naming the nearest when it is neither."""
    methods = dict.fromkeys(p.method for e in entries for p in e.points)
    if text is None or text in methods:
        return Baseline(text or USUAL)
    found = [e for e in entries if text in (e.id, e.label)] or [
        e for e in entries if e.id.startswith(text) or e.label.startswith(text)
    ]
    if len(found) == 1:
        return Baseline(found[0].method, found[0])
    if found:
        raise UserError(f"the baseline '{text}' fits {len(found)} of the runs")
    raise UserError(
        f"no method or run here is called '{text}'",
        nearest(text, [*methods, *(e.label for e in entries)]),
    )


def partner(entries: Sequence[Entry], baseline: Baseline, owner: Entry, point: Point) -> Partner:
    """The baseline's figure for one of ``owner``'s."""
    if baseline.run is not None:
        return _of_run(baseline.run, baseline.method, owner, point)
    own = _at(owner, baseline.method, point)
    if own is not None:
        return Partner(own, owner)
    others = [e for e in entries if e is not owner and e.recipe == owner.recipe]
    lent = [(p, e) for e in others if (p := _at(e, baseline.method, point)) is not None]
    if not lent:
        return Partner(
            why=f"no {baseline.method} at rate {rate_text(point.rate)} with this data and recipe"
        )
    if len({tuple(sorted(p.values.items())) for p, _ in lent}) > 1:
        return Partner(why=f"several runs have a {baseline.method}: name one as the baseline")
    return Partner(*lent[0])


def compare(
    baseline: Baseline, owner: Entry, point: Point, found: Partner
) -> dict[str, Any] | None:
    """The paired difference ``point - baseline``; None without a partner or a shared seed."""
    if found.point is None or found.owner is None:
        return None
    difference = paired(point.values, found.point.values)
    if difference is None:
        return None
    shared = point.values.keys() & found.point.values.keys()
    return {
        "method": found.point.method, "rate": found.point.rate,
        "run": None if found.owner is owner else found.owner.label,
        "mean": difference.mean, "ci_low": difference.ci_low, "ci_high": difference.ci_high,
        "n": difference.n, "distinguishable": distinguishable(difference),
        "words": words(difference, baseline.name),
        "unpaired_seeds": sorted((point.values.keys() | found.point.values.keys()) - shared),
    }  # fmt: skip


def _of_run(run: Entry, method: str, owner: Entry, point: Point) -> Partner:
    if run.data != owner.data:
        return Partner(why=f"other data than {run.label}")
    found = _at(run, method, point)
    if found is None:
        return Partner(why=f"{run.label} has no {method} at rate {rate_text(point.rate)}")
    return Partner(found, run)


def _at(entry: Entry, method: str, point: Point) -> Point | None:
    """The method's figure at the same rate; that of ``full`` stands for all rates."""
    found = [p for p in entry.points if p.method == method and p.metric == point.metric]
    same = [p for p in found if f"{p.rate:.4f}" == f"{point.rate:.4f}"]
    if not same and method == "full":
        same = found
    return same[0] if same else None
