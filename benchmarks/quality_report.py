"""The table of the quality bench: what was run, how good it is, and what was not run."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import quality_downstream as downstream
from benchmarks import quality_goals as goals
from benchmarks import quality_rows as quality
from benchmarks.quality_cells import DOUBLED, FRACTIONS, Setup
from benchmarks.quality_rows import RELIABILITY, Row
from core.stats import paired, summarise

COLUMNS = (
    "pearson", "spearman top 20%", "spearman bottom 20%", "recall 0.3", "recall 0.5",
    "recall 0.7", "share 0.7", "coverage80",
)  # fmt: skip
WANTED_POINTS = -0.5


def report(setup: Setup, found: list[Row], trained: list[Row]) -> str:
    """Markdown of all rows and of all accuracies after retraining."""
    lines = ["# Quality of extrapolation", "", *_scale(setup, found), "", "## Goals", ""]
    lines += [*goals.table(found), "", *goals.cells_table(found)]
    lines += ["", "## Methods", "", *_explained(), "", *_methods(found)]
    lines += ["", "## What can be reached", "", *_limits(found)]
    lines += ["", "## After retraining", "", *_downstream(trained)]
    lines += ["", "## Spearman by cell", "", *_by_cell(found)]
    return "\n".join([*lines, "", "## Not run", "", *missing(setup, found, trained), ""])


def _scale(setup: Setup, found: list[Row]) -> Iterator[str]:
    spec = setup.sweep(0)[0].spec
    sizes = {row["suite"]: row["n"] for row in found}
    told = ", ".join(f"{suite} ({n:,})" for suite, n in sizes.items()) or "none"
    changed = f" Changed: {', '.join(setup.changes)}." if setup.changes else ""
    model = f"{spec.model.name} of width {spec.model.params.get('width')}"
    yield (
        f"`python -m benchmarks.quality`, preset `quality`.{changed} Suites and their samples: "
        f"{told}. {model}, {spec.train.epochs} of batch {spec.train.batch}; scores "
        f"{', '.join(spec.score.names)}; subsets {', '.join(f'{f:.0%}' for f in FRACTIONS)}, and "
        f"{DOUBLED:.0%} as the doubled 20%; seeds {sorted({row['seed'] for row in found})}. "
        f"Retrained {spec.retrain.epochs} of batch {spec.retrain.batch}. "
        f"{platform.machine()}, one thread. Unseen: the samples outside the {DOUBLED:.0%} subset, "
        "the same for all. Truth: the scores of a run on all data by the same recipe. Intervals "
        "are Student's t over seeds, paired where two methods are compared."
    )


def _explained() -> Iterator[str]:
    yield (
        f"`{goals.TWICE.strip()}`: on a subset twice as large. `paper_knn`, `paper_gcn`: as in "
        "arXiv 2506.09010. "
        "`dynamics` and `auto, cross-fitted` read two more nets, each trained on half of the "
        "subset. Passes: samples shown to a net, trained on or not, of scoring run, embedding and "
        "cross-fitted nets (direct: of its own run). `auto, matched`: `auto` on scores read with "
        "`score.until: matched`, in the part of the subset's run that stands for a full run "
        "(why, and what else was tried: [quality_matched.md](quality_matched.md)). Cost: "
        "operations against paper_knn, a training pass being about three forward passes. Seconds: "
        "one score predicted, on a busy machine. Spearman and its interval are of the mean over "
        "suites, scores and subsets; "
        "recall: of what true scores keep at that rate; share 0.7: of the kept at rate 0.7 from "
        "the subset; coverage80: of the 80% interval, the truth's distribution matched."
    )


def _methods(found: list[Row]) -> Iterator[str]:
    heads = ("method", "n", "Spearman", "95% interval", "passes", "cost", *COLUMNS, "seconds")
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    names = list(dict.fromkeys(r["method"] for r in found if r["method"] != RELIABILITY))
    doubled = [m + goals.TWICE for m in names if any(_of(found, m + goals.TWICE, DOUBLED / 2))]
    knn = _of(found, "paper_knn")
    for name in (*names, *doubled):
        own = _of(found, name)
        if own:
            cost = _cost(own, knn)
            cells = [_mean(own, column) for column in COLUMNS]
            mean, spread = _over_seeds(goals.values(found, name))
            passes = _mean(own, "passes", 0)
            row = [name, str(len(own)), mean, spread, passes, cost, *cells, _mean(own, "seconds")]
            yield "| " + " | ".join(row) + " |"


def _of(found: list[Row], name: str, base: float | None = None) -> list[Row]:
    """The rows of a method; with ``x2`` those that spend the budget of twice the subset."""
    method, factor = name.removesuffix(goals.TWICE), 2 if name.endswith(goals.TWICE) else 1
    wanted = {round(factor * f, 6) for f in FRACTIONS if base in (None, f)}
    return [r for r in found if r["method"] == method and round(r["fraction"], 6) in wanted]


def _cost(own: Sequence[Row], knn: Sequence[Row]) -> str:
    """Operations against the paper's kNN, the mean ratio over suites, seeds and subsets."""
    if not knn:
        return "-"

    def by_place(rows: Sequence[Row]) -> dict[Any, float]:
        places = sorted({r["fraction"] for r in rows})
        return {(r["suite"], r["seed"], places.index(r["fraction"])): r["flops"] for r in rows}

    theirs, ours = by_place(knn), by_place(own)
    ratios = [ours[p] / theirs[p] for p in ours.keys() & theirs.keys()]
    return f"{np.mean(ratios):.2f}" if ratios else "-"


def _over_seeds(cells: dict[goals.Place, goals.BySeed]) -> tuple[str, str]:
    seeds: dict[int, list[float]] = defaultdict(list)
    for by_seed in cells.values():
        for seed, value in by_seed.items():
            seeds[seed].append(value)
    means = {seed: float(np.mean(v)) for seed, v in seeds.items()}
    about = paired(means, dict.fromkeys(means, 0.0))
    if about is None:
        return "-", "-"
    return f"{about.mean:.3f}", goals.interval(about).replace("+", "")


def _mean(rows: Iterable[Row], column: str, digits: int = 3) -> str:
    known = [r[column] for r in rows if r.get(column) is not None]
    return f"{np.mean(known):,.{digits}f}" if known else "-"


def _limits(found: list[Row]) -> Iterator[str]:
    yield (
        "Reliability: two full runs that differ in their seed, on all samples. Ceiling: the "
        "subset's own scores against those of the full run, on the subset (not a bound: a net that "
        "saw a sample scores it differently from one that did not)."
    )
    yield ""
    yield "| suite | score | reliability | ceiling 10% | ceiling 20% | ceiling 40% |"
    yield "|---|---|---|---|---|---|"
    places = dict.fromkeys((r["suite"], r["score"]) for r in found)
    for suite, score in places:
        here = [r for r in found if (r["suite"], r["score"]) == (suite, score)]
        full = _mean((r for r in here if r["method"] == RELIABILITY), "spearman")
        by = [
            _mean((r for r in here if r["method"] == "paper_knn" and r["fraction"] == f), "ceiling")
            for f in (*FRACTIONS, DOUBLED)
        ]
        yield f"| {suite} | {score} | {full} | " + " | ".join(by) + " |"


def _downstream(trained: list[Row]) -> Iterator[str]:
    yield (
        f"Subset {downstream.FRACTION:.0%}, dynamic uncertainty, policy class_balanced. Accuracy "
        f"less that of selection by {downstream.TRUTH}, in points, paired by seed; wanted of auto: "
        f"at least {WANTED_POINTS} in the mean over suites."
    )
    yield ""
    yield "| selection by | rate | suite | accuracy | difference | 95% interval | seeds | |"
    yield "|---|---|---|---|---|---|---|---|"
    suites = list(dict.fromkeys(r["suite"] for r in trained))
    for arm in downstream.ARMS:
        for rate in downstream.RATES:
            for suite in (None, *suites):
                yield from _arm(trained, arm, rate, suite)


def _arm(trained: list[Row], arm: str, rate: float, suite: str | None) -> Iterator[str]:
    own = goals.accuracies(trained, arm, rate, suite)
    apart = paired(own, goals.accuracies(trained, downstream.TRUTH, rate, suite))
    if apart is None:
        return
    mean, of = float(np.mean(list(own.values()))), suite or "mean"
    if arm == downstream.TRUTH:
        yield f"| {arm} | {rate:g} | {of} | {100 * mean:.1f}% | | | {apart.n} | |"
        return
    verdict = ""
    if arm.startswith("auto") and suite is None:
        verdict = "reached" if 100 * apart.mean >= WANTED_POINTS else "missed"
    yield (
        f"| {arm} | {rate:g} | {of} | {100 * mean:.1f}% | {100 * apart.mean:+.2f} "
        f"| {goals.interval(apart, 100, 2)} | {apart.n} | {verdict} |"
    )


def _by_cell(found: list[Row]) -> Iterator[str]:
    shown = list(dict.fromkeys(r["method"] for r in found if r["method"] != RELIABILITY))
    cells: dict[tuple[Any, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        if row["spearman"] is not None and row["method"] != RELIABILITY:
            place = row["suite"], row["score"], row["fraction"]
            cells[place][row["method"]].append(row["spearman"])
    yield "Mean over seeds (standard deviation)."
    yield ""
    yield "| suite | score | subset | " + " | ".join(shown) + " |"
    yield "|---" * (len(shown) + 3) + "|"
    for (suite, score, fraction), own in cells.items():
        texts = []
        for name in shown:
            about = summarise(own.get(name, []))
            spread = "" if about.std is None else f" ({about.std:.3f})"
            texts.append("-" if about.mean is None else f"{about.mean:.3f}{spread}")
        yield f"| {suite} | {score} | {fraction:.0%} | " + " | ".join(texts) + " |"


def missing(setup: Setup, found: list[Row], trained: list[Row]) -> Iterator[str]:
    """Rows that belong to the setup and are not there, summed up by method and subset."""
    have, done = {quality.key(r) for r in found}, {downstream.key(r) for r in trained}
    absent: dict[str, list[str]] = defaultdict(list)
    for suite, seed, fraction, method in quality.expected(setup):
        if (suite, seed, fraction, method) not in have:
            what = method if fraction == 1 else f"{method} on {fraction:.0%}"
            absent[what].append(f"{suite} seed {seed}")
    for suite, seed, rate, arm in downstream.expected(setup):
        if (suite, seed, rate, arm) not in done:
            absent[f"retraining, {arm}, rate {rate:g}"].append(f"{suite} seed {seed}")
    everywhere = len(setup.suites) * len(setup.seeds)
    for what, places in absent.items():
        yield f"- {what}: {'; '.join(places) if len(places) < everywhere else 'nowhere run'}"
    if not absent:
        yield "Nothing is missing."
