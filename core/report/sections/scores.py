"""How the score is spread over the samples, measured and predicted, and how each was made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.report.facts import Facts
from core.report.histogram import Group, histogram
from core.report.html import section
from core.report.recipes import recipe_table

_BINS = 40


def scores(facts: Facts) -> str | None:
    """The section; the first seed stands for all."""
    seed, table = next(iter(facts.tables.items()), (0, None))
    if table is None or facts.score not in table:
        return None
    measured = table["source"] == "scored"
    values = np.asarray(table[facts.score], dtype=np.float64)
    raw = values.copy()
    predicted = table.get(f"{facts.score}_predicted")
    if predicted is not None:
        raw[~measured] = predicted[~measured]
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    chart = _chart(facts, seed, values, raw, measured)
    recipes = recipe_table(list(facts.summary.get("scores") or ()))
    return section("scores", "The scores", chart, recipes)


def _chart(
    facts: Facts, seed: int, values: NDArray[Any], raw: NDArray[Any], measured: NDArray[np.bool_]
) -> str:
    known = np.concatenate([values[np.isfinite(values)], raw[np.isfinite(raw)]])
    low, high = (float(v) for v in np.quantile(known, [0.001, 0.999]))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    keep = "high" if facts.keeps_high else "low"
    return histogram(
        f"{facts.score}, seed {seed}: measured on the subset, predicted for the rest",
        _group(f"measured ({int(measured.sum()):,})", values[measured], edges),
        _group(f"predicted, as it came ({int((~measured).sum()):,})", raw[~measured], edges),
        edges.tolist(), facts.score,
        f"{keep.capitalize()} scores are kept. Predictions are less spread out than measurements; "
        "before anything is chosen they are mapped to the distribution of the measured ones. The "
        "outermost thousandths lie in the outermost bars.",
    )  # fmt: skip


def _group(name: str, values: NDArray[Any], edges: NDArray[np.float64]) -> Group:
    """Shares by bin; what lies outside counts in the outermost bin, what is not finite nowhere."""
    finite = values[np.isfinite(values)]
    counts, _ = np.histogram(np.clip(finite, edges[0], edges[-1]), edges)
    return Group(name, (counts / max(1, len(finite))).tolist())
