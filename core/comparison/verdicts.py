"""What may be concluded, in words: one sentence a method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from core.comparison.entries import rate_text

Row = Mapping[str, Any]
_KINDS = ("above", "below", "not distinguishable from", "no interval against")


def verdicts(rows: Sequence[Row], baseline: str) -> list[str]:
    """``k3fa knn: below random at 0.5, 0.7; not distinguishable from random at 0.3`` for every
    run, method, policy and metric that was paired."""
    grouped: dict[tuple[Any, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["versus"] is not None:
            who = (", ".join(row["runs"]), row["method"], row["policy"], row["metric"])
            grouped[who][_kind(row["versus"])].append(rate_text(row["rate"]))
    several = len({row["metric"] for row in rows}) > 1
    return [
        f"{runs} {method}{f' ({policy})' if policy else ''}{f', {metric}' if several else ''}: "
        + "; ".join(f"{k} {baseline} at {', '.join(told[k])}" for k in _KINDS if k in told)
        for (runs, method, policy, metric), told in grouped.items()
    ]


def _kind(versus: Row) -> str:
    apart = versus["distinguishable"]
    if apart is None:
        return _KINDS[3]
    if not apart:
        return _KINDS[2]
    return _KINDS[0] if versus["mean"] > 0 else _KINDS[1]
