"""Which kinds of samples were dropped: by class, and by known truth where the data has one."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

import numpy as np

from core import words
from core.report.dots import Dot, Row, dot_chart
from core.report.facts import Facts
from core.report.html import bullets, section, table
from core.report.svg import STYLES, Axis

_MANY, _END = 24, 12
Shares = dict[int, dict[float, float]]


def dropped(facts: Facts) -> str | None:
    """The section."""
    return section(
        "dropped",
        "Which samples were dropped",
        _classes(facts),
        _told(facts),
        _truth(facts),
        _sources(facts),
    )


def _classes(facts: Facts) -> str | None:
    rates = facts.rates(facts.method)[:STYLES]
    shares = {label: by for label, by in _kept_shares(facts, rates).items() if by}
    if not shares:
        return None
    last = {label: by[max(by)] for label, by in shares.items()}
    order = sorted(shares, key=lambda label: (last[label], label))
    note = "Mean over the seeds. A policy that balances classes keeps the same share of each."
    if len(order) > _MANY:
        note = f"The {_END} least and the {_END} most kept of {len(order)} classes. {note}"
        order = order[:_END] + order[-_END:]
    rows = [
        Row(
            facts.class_name(label),
            tuple(Dot(rates.index(rate), share) for rate, share in shares[label].items()),
        )
        for label in order
    ]
    return dot_chart(
        f"Kept by class, percent ({facts.method})", rows,
        [f"dropping {100 * rate:g}%" for rate in rates],
        Axis("kept, percent of the class", lambda v: f"{round(100 * v, 6):g}", 0.0, 1.02), note,
    )  # fmt: skip


def _kept_shares(facts: Facts, rates: list[float]) -> Shares:
    """Mean over seeds of the share of each class that was kept, by label and rate."""
    labels = facts.labels
    if labels is None:
        return {}
    names, place = np.unique(labels, return_inverse=True)
    total = np.bincount(place)
    found: Shares = {int(label): {} for label in names}
    for rate in rates:
        sets = [k for t in facts.of(facts.method, rate) if (k := facts.kept(t)) is not None]
        kept = [np.bincount(place[ids], minlength=len(names)) / total for ids in sets]
        for label, share in zip(names, np.mean(kept, axis=0) if kept else (), strict=False):
            found[int(label)][rate] = float(share)
    return found


_KINDS: tuple[tuple[str, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    ("mislabelled", lambda t: t["mislabelled"]["n"], lambda t: t["mislabelled"]["kept"]),
    ("between two classes", lambda t: t["ambiguous"]["n"], lambda t: t["ambiguous"]["kept"]),
    ("of a rare look", lambda t: t["rare"]["n"], lambda t: t["rare"]["kept"]),
)


def _told(facts: Facts) -> str | None:
    """The same of the run's own method in words."""
    said = []
    for rate in facts.rates(facts.method):
        known = [t["truth"] for t in facts.of(facts.method, rate) if t.get("truth")]
        if known:
            told = words.kept_truth(words.mean_truth(known), facts.summary["data"]["n_train"])
            said.append(f"Dropping {100 * rate:g}% ({facts.method}): {told}.")
    return bullets(said) if said else None


def _truth(facts: Facts) -> str | None:
    """What became of kinds of samples that the dataset knows of (``trials[].truth``)."""
    rows = []
    for method in facts.methods:
        for rate in facts.rates(method):
            known = [t["truth"] for t in facts.of(method, rate) if t.get("truth")]
            if known:
                rows.append((method, f"{100 * rate:.4g}%", *_kinds(known)))
    if not rows:
        return None
    first = next(t["truth"] for t in facts.trials if t.get("truth"))
    counts = [f"kept {name} ({number(first)})>" for name, number, _ in _KINDS]
    groups = first["duplicates"]
    members = groups["members"]
    near = f"near-duplicates kept of {members:.1f}>" if members else "near-duplicates kept>"
    return table(
        ["method", "dropped>", *counts, near, "difficulty>"],
        rows,
        f"What became of samples whose truth is known: shares kept; of {groups['groups']} groups "
        f"of near-duplicates, members kept on average; mean difficulty of the kept samples "
        f"(of all: {first['difficulty']['all']:.3f})",
    )


def _kinds(known: list[Any]) -> list[str]:
    cells = [_mean([share(t) for t in known], "{:.1%}") for _, _, share in _KINDS]
    cells.append(_mean([t["duplicates"]["kept"] for t in known], "{:.2f}"))
    return [*cells, _mean([t["difficulty"]["kept"] for t in known], "{:.3f}")]


def _mean(values: list[float | None], shown: str) -> str:
    known = [v for v in values if v is not None]
    return shown.format(fmean(known)) if known else "-"


def _sources(facts: Facts) -> str | None:
    """The share of the kept set that was measured: far above its share of all is a warning."""
    rows = []
    for rate in facts.rates(facts.method):
        trials = facts.of(facts.method, rate)
        shares = [t["subset_share"] for t in trials if t["subset_share"] is not None]
        if shares:
            kept = f"{trials[0]['n_kept']:,}"
            rows.append((f"{100 * rate:g}%", kept, f"{100 * fmean(shares):.1f}%"))
    if not rows:
        return None
    whole = 100 * facts.summary["subset"]["fraction"]
    return table(
        ["dropped>", "samples kept>", "of them scored, not predicted>"], rows,
        f"Kept samples that were in the scored subset, which is {whole:.1f}% of all",
    )  # fmt: skip
