"""The trade-off of a run as a picture: metric over pruned fraction, one line per method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MARKERS = "osD^v<>P*X"


def draw(summary: Mapping[str, Any], file: Path) -> None:
    """Draw ``summary["tradeoff"]`` (mean over seeds, bars of one standard deviation) as a PNG.

    The figure is made without pyplot, so that no window system and no global state is touched.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metric = summary["tradeoff"][0]["metric"]
    figure = Figure(figsize=(7.0, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for index, (method, rows) in enumerate(_lines(summary, metric).items()):
        rates, means = [r["rate"] for r in rows], [r["mean"] for r in rows]
        spread = [r["std"] or 0.0 for r in rows]
        axes.errorbar(
            rates, means, yerr=spread, label=method, marker=_MARKERS[index % len(_MARKERS)],
            capsize=3, linewidth=1.2,
        )  # fmt: skip
    axes.set_xlabel("pruned fraction")
    axes.set_ylabel(metric.replace("_", " "))
    axes.set_title(f"{summary['run']}: mean of {len(summary['seeds'])} seed(s), bars: 1 std")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    temporary = file.with_name(f".{file.name}")
    figure.savefig(temporary, format="png")
    temporary.replace(file)


def _lines(summary: Mapping[str, Any], metric: str) -> dict[str, list[Mapping[str, Any]]]:
    """Rows with a mean by method, by growing rate."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(summary["tradeoff"], key=lambda r: float(r["rate"])):
        if row["metric"] == metric and row["mean"] is not None:
            found[row["method"]].append(row)
    return found
