"""Do nets trained on the kept samples answer as nets trained on everything do?"""

from __future__ import annotations

from statistics import fmean

from core import words
from core.comparison.predictions import agreement as agree
from core.comparison.predictions import between_seeds
from core.report.html import paragraph, section, table
from core.report.many.facts import Many, Row


def agreement(many: Many) -> str | None:
    """The section; needs runs with the baseline ``full``."""
    parts = [part for group in many.groups for part in _group(many, group)]
    return section("agreement", "Agreement with models of all the data", *parts)


def _group(many: Many, group: Row) -> list[str]:
    rows, between = [], []
    for series in many.series(group, many.metrics(group)[0]) if many.metrics(group) else ():
        label = series.labels[0]
        full = many.predictions(label, "full", 0.0)
        if series.method == "full":
            between += between_seeds(full)
            continue
        for row in series.rows:
            found = agree(many.predictions(label, series.method, row["rate"]), full)
            if found:
                mean, n = fmean(found.values()), len(found)
                dropped = f"{100 * row['rate']:.4g}%"
                rows.append((series.name, dropped, words.percent(mean), n))
    if not rows:
        text = "Not known: it takes predictions of a model of all the data (baseline full)."
        return [paragraph(text, "note")]
    text = (
        "The share of test samples for which both predict the same class, right or wrong; both "
        "have the same seed."
    )
    if between:
        text += (
            f" Two models of all the data that differ in nothing but the seed agree at "
            f"{words.percent(fmean(between))}% (mean of {words.plural(len(between), 'pair')})."
        )
    return [paragraph(text), table(["", "dropped>", "same answer, percent>", "seeds>"], rows)]
