"""What one has to know to read a comparison, in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.comparison.entries import Entry
from core.comparison.pairing import Baseline
from core.comparison.settings import same_machine
from core.stats import MIN_SEEDS

Row = Mapping[str, Any]


def about(entries: Sequence[Entry], baseline: Baseline, groups: Sequence[Row]) -> list[str]:
    """All sentences, the gravest first."""
    rows = [row for group in groups for row in group["rows"]]
    return [
        *_data(groups), *_unfinished(entries), *_unpaired(rows), *_lent(rows, baseline),
        *_intervals(rows), *_costs(entries, rows),
    ]  # fmt: skip


def _data(groups: Sequence[Row]) -> Iterator[str]:
    if len(groups) > 1:
        parts = [f"{', '.join(g['runs'])}: {g['data']['name']}" for g in groups]
        yield (
            f"the runs use {len(groups)} different data sets or data options ({'; '.join(parts)}): "
            "their accuracies are listed apart and not compared"
        )


def _unfinished(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.status != "finished":
            done = {seed for point in entry.points for seed in point.values}
            yield (
                f"{entry.label} is {entry.status}: it has results of {len(done)} of "
                f"{len(entry.seeds)} seeds"
            )


def _unpaired(rows: Sequence[Row]) -> Iterator[str]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["not_paired"]:
            reasons[row["not_paired"]].append(row["method"])
        elif row["versus"] and row["versus"]["unpaired_seeds"]:
            seeds = ", ".join(str(s) for s in row["versus"]["unpaired_seeds"])
            reasons[f"seeds without a partner are left out: {seeds}"].append(row["method"])
    for why, methods in reasons.items():
        yield f"not paired: {_listed(methods)}: {why}"


def _lent(rows: Sequence[Row], baseline: Baseline) -> Iterator[str]:
    if baseline.run is not None:
        return
    lent = {r["versus"]["run"]: r["runs"] for r in rows if r["versus"] and r["versus"]["run"]}
    for owner, runs in lent.items():
        yield (
            f"{_listed(runs)} has no {baseline.method} at some rate and is compared with that of "
            f"{owner}, which has the same data and retraining recipe"
        )


def _intervals(rows: Sequence[Row]) -> Iterator[str]:
    versus = [row["versus"] for row in rows if row["versus"]]
    if any(v["n"] < MIN_SEEDS for v in versus):
        yield f"below {MIN_SEEDS} paired seeds there is no interval, and nothing can be concluded"
    told = sum(v["distinguishable"] is not None for v in versus)
    if told:
        yield (
            "intervals: 95%, Student's t on differences paired by seed; a seed is a replicate of "
            "the whole loop"
        )
    if told >= 5:
        yield (
            f"{told} intervals are not corrected for their number: about {told / 20:.1f} would "
            "leave out zero by chance alone"
        )


def _costs(entries: Sequence[Entry], rows: Sequence[Row]) -> Iterator[str]:
    yield "cost: the mean loop of a seed, with everything the method itself needs"
    if any(row["loop_passes"] is None for row in rows):
        yield "runs of an early version do not tell their passes and are on no front of passes"
    if len({row["n"] for row in rows}) > 1:
        yield "means over unequal numbers of seeds stand side by side: see n"
    if not same_machine(entries):
        yield (
            "the seconds were measured on different machines, devices or threads and are not "
            "compared; sample passes are"
        )
    if len({(e.settings.get("model.name"), e.settings.get("model.width")) for e in entries}) > 1:
        yield "a sample pass of one model costs another time than one of another"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
