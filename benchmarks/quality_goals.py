"""What the quality bench promises: ``auto`` against the paper's predictors, paired by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.quality_cells import FRACTIONS
from benchmarks.quality_downstream import TRUTH
from benchmarks.quality_rows import CROSS_FITTED, MATCHED, Row
from core.stats import Difference, paired

TWICE = " x2"
"""Marks a method given a subset twice as large."""
WORSE = 0.02


@dataclass(frozen=True)
class Goal:
    """Mean Spearman of ``ours`` less that of ``theirs``, and what is wanted of it (None: nothing,
    it is reported)."""

    ours: str
    theirs: str
    wanted: float | None


GOALS = (
    Goal("auto", "paper_knn", 0.04),
    Goal("auto", "paper_gcn", 0.02),
    Goal(CROSS_FITTED, "paper_knn" + TWICE, 0.05),
    Goal(CROSS_FITTED, "paper_gcn" + TWICE, None),
    Goal(CROSS_FITTED, "auto" + TWICE, None),
    Goal("dynamics", "paper_knn" + TWICE, None),
    Goal("dynamics", "paper_gcn" + TWICE, None),
    Goal("auto", "direct", None),
    Goal(MATCHED, "paper_knn", 0.04),
    Goal(MATCHED, "paper_gcn", 0.02),
    Goal(MATCHED, "auto", None),
)
CHECKED = tuple(goal for goal in GOALS if goal.wanted is not None)
"""Of these no cell may be worse."""
Place = tuple[str, float, str]
"""Suite, subset (the smaller one where budgets are doubled), score."""
BySeed = dict[int, float]


def values(found: Iterable[Row], name: str) -> dict[Place, BySeed]:
    """Spearman of a method by cell and seed; with ``x2`` that on the subset twice as large."""
    method, factor = name.removesuffix(TWICE), 2 if name.endswith(TWICE) else 1
    out: dict[Place, BySeed] = defaultdict(dict)
    for row in found:
        base = row["fraction"] / factor
        known = row["method"] == method and row["spearman"] is not None
        if known and any(abs(base - fraction) < 1e-9 for fraction in FRACTIONS):
            out[row["suite"], round(base, 6), row["score"]][row["seed"]] = row["spearman"]
    return dict(out)


def overall(ours: Mapping[Place, BySeed], theirs: Mapping[Place, BySeed]) -> Difference | None:
    """Paired by seed: the mean over the cells that both have in that seed."""
    a, b = _by_seed(ours, theirs), _by_seed(theirs, ours)
    return paired(a, b)


def _by_seed(one: Mapping[Place, BySeed], other: Mapping[Place, BySeed]) -> BySeed:
    sums: dict[int, list[float]] = defaultdict(list)
    for place, by_seed in one.items():
        for seed in by_seed.keys() & other.get(place, {}).keys():
            sums[seed].append(by_seed[seed])
    return {seed: float(np.mean(v)) for seed, v in sums.items()}


def reached(goal: Goal, found: list[Row]) -> Difference | None:
    """What came of a goal; None where nothing was run that says."""
    return overall(values(found, goal.ours), values(found, goal.theirs))


def table(found: list[Row]) -> Iterator[str]:
    """All goals with n and interval."""
    yield "| | less | Spearman | 95% interval | seeds | cells | wanted | |"
    yield "|---|---|---|---|---|---|---|---|"
    for goal in GOALS:
        apart = reached(goal, found)
        wanted = "-" if goal.wanted is None else f"{goal.wanted:+.2f}"
        if apart is None:
            yield f"| {goal.ours} | {goal.theirs} | not run | | 0 | 0 | {wanted} | |"
            continue
        both = values(found, goal.ours).keys() & values(found, goal.theirs).keys()
        verdict = ""
        if goal.wanted is not None:
            verdict = "reached" if apart.mean >= goal.wanted else "missed"
        yield (
            f"| {goal.ours} | {goal.theirs} | {apart.mean:+.3f} | {interval(apart)} | {apart.n} "
            f"| {len(both)} | {wanted} | {verdict} |"
        )


@dataclass(frozen=True)
class Worse:
    """A cell in which ``goal.ours`` is behind by more than 0.02; ``surely``: the whole interval of
    the difference is."""

    goal: Goal
    place: Place
    apart: Difference

    @property
    def surely(self) -> bool:
        return self.apart.ci_high is not None and self.apart.ci_high < -WORSE


def worse(found: list[Row], goal: Goal) -> list[Worse]:
    """The cells in which it is, by paired differences over the seeds."""
    ours, theirs = values(found, goal.ours), values(found, goal.theirs)
    out = []
    for place in ours.keys() & theirs.keys():
        apart = paired(ours[place], theirs[place])
        if apart is not None and apart.mean < -WORSE:
            out.append(Worse(goal, place, apart))
    return sorted(out, key=lambda w: w.apart.mean)


def cells_table(found: list[Row]) -> Iterator[str]:
    """Which cells are worse, goal by goal."""
    lines = []
    for goal in CHECKED:
        both = values(found, goal.ours).keys() & values(found, goal.theirs).keys()
        behind = worse(found, goal)
        sure = [w for w in behind if w.surely]
        yield (
            f"- {goal.ours} against {goal.theirs}: {len(sure)} of {len(both)} cells worse by more "
            f"than {WORSE} beyond the interval, {len(behind)} by the mean alone."
        )
        for w in behind:
            suite, fraction, score = w.place
            lines.append(
                f"| {goal.ours} | {goal.theirs} | {suite} | {score} | {fraction:.0%} "
                f"| {w.apart.mean:+.3f} | {interval(w.apart)} | {w.apart.n} "
                f"| {'yes' if w.surely else 'no'} |"
            )
    if lines:
        yield ""
        yield "| | less | suite | score | subset | Spearman | 95% interval | seeds | beyond it |"
        yield "|---" * 9 + "|"
        yield from lines


def accuracies(found: Iterable[Row], arm: str, rate: float, suite: str | None) -> BySeed:
    """Accuracy by seed; with ``suite`` None the mean over the suites that have both the arm and
    true scores in that seed."""
    rows = [r for r in found if r["rate"] == rate and suite in (None, r["suite"])]
    of: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    for row in rows:
        of[row["method"]][row["suite"], row["seed"]] = row["accuracy"]
    by_seed: dict[int, list[float]] = defaultdict(list)
    for place in of[arm].keys() & of[TRUTH].keys():
        by_seed[place[1]].append(of[arm][place])
    return {seed: float(np.mean(v)) for seed, v in by_seed.items()}


def interval(apart: Difference, scale: float = 1.0, digits: int = 3) -> str:
    """``+0.010 to +0.030``, or a dash."""
    if apart.ci_low is None or apart.ci_high is None:
        return "-"
    low, high = scale * apart.ci_low, scale * apart.ci_high
    return f"{low:+.{digits}f} to {high:+.{digits}f}"
