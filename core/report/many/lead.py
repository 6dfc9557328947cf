"""The first words: what was compared, what came out best, and how sure that is."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from core import words
from core.report.many.facts import Many, Row, plain
from core.stats import distinguishable, paired

Part = str | list[str]


def lead(many: Many) -> list[Part]:
    """Plain words."""
    parts: list[Part] = [_done(many)]
    for group in many.groups:
        found = _found(many, group)
        where = f" On {group['data']['name']}:" if len(many.groups) > 1 else ""
        if found:
            parts += [where] if where else []
            parts.append(found)
    parts.append(_sure(many))
    return [part for part in parts if part]


def _done(many: Many) -> str:
    runs, lost = len(many.runs), len(many.failures)
    varied = [row["key"] for row in many.found["settings"]]
    of = f" of {many.planned}" if lost else ""
    text = f"{words.plural(runs, 'run')}{of} {'is' if runs == 1 else 'are'} compared"
    text += f"; they differ in {', '.join(varied)}." if varied else "."
    if lost:
        text += f" {words.plural(lost, 'cell')} {'is' if lost == 1 else 'are'} not finished; "
        text += "the reasons are below."
    return text


def _found(many: Many, group: Row) -> list[str]:
    metric = next(iter(many.metrics(group)), None)
    if metric is None:
        return []
    own = [s for s in many.series(group, metric) if s.own]
    rates = sorted({float(r["rate"]) for s in own for r in s.rows})
    return [_at_rate(many, group, metric, rate) for rate in rates]


def _at_rate(many: Many, group: Row, metric: str, rate: float) -> str:
    """The best cell by its mean, against random and against the other cells."""
    here = [
        (s, r) for s in many.series(group, metric) if s.own for r in s.rows if r["rate"] == rate
    ]
    best, row = max(here, key=lambda pair: float(pair[1]["mean"]))
    text = (
        f"Dropping {100 * rate:g}%: the best mean {plain(metric)} is {words.percent(row['mean'])}% "
        f"({best.name})"
    )
    if row["versus"]:
        text += f"; {row['versus']['words']}"
    values = _values(many, best.labels[0], best.method, rate, metric)
    alike = [
        s.name
        for s, _ in here
        if s is not best
        and distinguishable(
            paired(values, _values(many, s.labels[0], s.method, rate, metric))
        ) is not True
    ]  # fmt: skip
    if len(here) > 1:
        text += f". Of the other {len(here) - 1}, {len(alike)} cannot be told from it"
    return f"{text}."


def _values(many: Many, label: str, method: str, rate: float, metric: str) -> dict[int, float]:
    return many.runs[label].by_seed(method, rate, metric)


def _sure(many: Many) -> str:
    seeds = [int(row["n"]) for group in many.groups for row in group["rows"]]
    if not seeds:
        return "No retraining has been finished yet, so nothing is known about accuracy."
    text = (
        "How sure is this? The best of several is picked by its mean on the test set, so its "
        "figure is optimistic; a new run with other seeds would tell."
    )
    if min(seeds) < words.MIN_SEEDS:
        text += (
            f" Below {words.MIN_SEEDS} seeds there is no interval: the differences may be chance."
        )
    return text + _known(many)


def _known(many: Many) -> str:
    kinds: list[Any] = [(k, [many.correlation(label, k) for label in many.runs]) for k in _SAID]
    said = [
        f" The mean rank correlation {_SAID[kind]} is {fmean(known):.2f}."
        for kind, values in kinds
        if (known := [v for v in values if v is not None])
    ]
    return said[0] if said else ""


_SAID = {
    "reference": "of predicted with full-data scores",
    "heldout": "of predicted with the subset's own scores (held-out, optimistic)",
}
