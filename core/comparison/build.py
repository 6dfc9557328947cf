"""The whole comparison as one JSON-able mapping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from core.comparison import notes
from core.comparison.entries import Entry, Point
from core.comparison.pairing import Baseline, choose, compare, partner
from core.comparison.pareto import front
from core.comparison.settings import differing, same_machine
from core.comparison.verdicts import verdicts
from core.stats import summarise

Row = dict[str, Any]


def build(
    entries: Sequence[Entry], baseline: str | None = None, absent: Sequence[str] = ()
) -> dict[str, Any]:
    """Settings that differ, figures with paired differences, Pareto fronts, and what to know.

    Figures of different data stand in groups of their own and are never compared. A row that
    several runs share (the same retrainings at the same cost) appears once, with all their labels.
    ``absent``: sentences about runs that are not among the entries; they go before all notes.
    """
    chosen = choose(entries, baseline)
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.data].append(entry)
    found = [_group(members, chosen, entries) for members in groups.values()]
    return {
        "baseline": {"method": chosen.method, "run": chosen.run.label if chosen.run else None},
        "runs": [_about(e) for e in entries],
        "settings": differing(entries),
        "groups": found,
        "notes": [*absent, *notes.about(entries, chosen, found)],
    }


def _about(entry: Entry) -> Row:
    return {
        "id": entry.id, "label": entry.label, "status": entry.status, "method": entry.method,
        "seeds": list(entry.seeds),
    }  # fmt: skip


def _group(members: Sequence[Entry], baseline: Baseline, everyone: Sequence[Entry]) -> Row:
    rows = list(_merged(members, baseline, everyone))
    comparable = same_machine(members)
    for metric in dict.fromkeys(r["metric"] for r in rows):
        here = [r for r in rows if r["metric"] == metric]
        for what, known in (("seconds", comparable), ("passes", True)):
            _mark(here, what, known)
    data = members[0].about
    about = {k: data.get(k) for k in ("name", "n_train", "n_test", "classes", "fingerprint")}
    return {
        "data": about, "runs": [e.label for e in members], "seconds_comparable": comparable,
        "rows": rows, "verdicts": verdicts(rows, baseline.name),
    }  # fmt: skip


def _mark(rows: Sequence[Row], what: str, known: bool) -> None:
    """Set ``front_<what>``: null where it cannot be told."""
    for row in rows:
        row[f"front_{what}"] = None
    if not known:
        return
    placed = [r for r in rows if r[f"loop_{what}"] is not None and r["mean"] is not None]
    for row, on in zip(
        placed, front([(r[f"loop_{what}"], r["mean"]) for r in placed]), strict=True
    ):
        row[f"front_{what}"] = on


def _merged(
    members: Sequence[Entry], baseline: Baseline, everyone: Sequence[Entry]
) -> Sequence[Row]:
    found: dict[Any, Row] = {}
    for entry in members:
        for point in entry.points:
            row = _row(entry, point, baseline, everyone)
            same = found.setdefault(_same(point, row["versus"]), row)
            if same is not row:
                same["runs"].append(entry.label)
    return list(found.values())


def _same(point: Point, versus: Mapping[str, Any] | None) -> tuple[Any, ...]:
    against = None if versus is None else (versus["mean"], versus["n"])
    return (
        point.method, point.policy, point.rate, point.metric, tuple(sorted(point.values.items())),
        point.luck, point.loop_seconds, point.loop_passes, against,
    )  # fmt: skip


def _row(entry: Entry, point: Point, baseline: Baseline, everyone: Sequence[Entry]) -> Row:
    about = summarise(list(point.values.values()))
    row: Row = {
        "runs": [entry.label], "method": point.method, "policy": point.policy, "rate": point.rate,
        "metric": point.metric, "mean": about.mean, "std": about.std, "n": about.n,
        "loop_seconds": point.loop_seconds, "loop_passes": point.loop_passes,
        "saving": point.saving, "saving_passes": point.saving_passes,
        "versus": None, "not_paired": None,
    }  # fmt: skip
    if _is_baseline(entry, point, baseline):
        return row
    found = partner(everyone, baseline, entry, point)
    row["versus"] = compare(baseline, entry, point, found)
    if row["versus"] is None:
        row["not_paired"] = found.why or f"no seed in common with {baseline.name}"
    return row


def _is_baseline(entry: Entry, point: Point, baseline: Baseline) -> bool:
    return point.method == baseline.method and baseline.run in (None, entry)
