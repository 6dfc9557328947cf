"""The first words of a report: what was done, what was found, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean
from typing import Any

from core import words
from core.report.facts import Facts
from core.stats import paired

Part = str | list[str]


def lead(facts: Facts) -> list[Part]:
    """Plain words: paragraphs, and a list of what was found at each rate."""
    return [p for p in (_done(facts), *_found(facts), _cost(facts), _sure(facts)) if p]


def _done(facts: Facts) -> str:
    about, subset = facts.summary["data"], facts.summary["subset"]
    seeds, status = len(facts.summary["seeds"]), facts.summary["status"]
    often = "once" if seeds == 1 else f"with {seeds} seeds, each with its own subset and nets"
    text = (
        f"Of the {about['n_train']:,} training samples of {about['name']} ({about['classes']} "
        f"classes), {subset['n']:,} ({100 * subset['fraction']:.0f}%) were trained on and scored "
        f"by {facts.score}; the scores of all others were predicted ({facts.method}). New nets "
        f"({facts.spec.model.name}) were trained on the samples kept and tested on "
        f"{about['n_test']:,} others. This was done {often}."
    )
    if status != "finished":
        reason = facts.summary.get("reason")
        why = f", {reason.replace('_', ' ')}" if reason and reason != status else ""
        text += f" The run is not finished ({status}{why}): this is what there is so far."
    return text


def _found(facts: Facts) -> list[Part]:
    metric = next(iter(facts.metrics), None)
    rates = [] if metric is None else facts.rates(facts.method)
    sentences = [s for r in rates if metric and (s := _at_rate(facts, r, metric))]
    if not sentences:
        return ["No retraining has been finished yet, so nothing is known about accuracy."]
    if not any("not distinguishable" in s for s in sentences):
        return [sentences]
    return [
        sentences,
        "Not distinguishable means that the 95% interval of the difference contains zero: "
        "these seeds cannot tell the two apart, which does not show that they are equal.",
    ]


def _at_rate(facts: Facts, rate: float, metric: str) -> str:
    own = facts.by_seed(facts.method, rate, metric)
    if not own:
        return ""
    name = metric.replace("_", " ")
    said = (
        f"Without {100 * rate:g}% of the samples, {name} is {words.percent(fmean(own.values()))}%"
    )
    parts = [
        _against(own, facts.by_seed("full", 0.0, metric), "training on everything"),
        _against(own, facts.by_seed("random", rate, metric), "dropping as many at random"),
    ]
    known = [part for part in parts if part]
    return f"{said}: {'; '.join(known)}." if known else f"{said}."


def _against(own: dict[int, float], other: dict[int, float], named: str) -> str:
    """A paired difference in words: points, interval, what one may conclude."""
    found = paired(own, other)
    if found is None:
        return ""
    points = f"{100 * abs(found.mean):.2f} points {'above' if found.mean >= 0 else 'below'} {named}"
    if found.ci_low is None or found.ci_high is None:
        return f"{points} (no interval)"
    span = f"[{100 * found.ci_low:+.2f}, {100 * found.ci_high:+.2f}]"
    if found.ci_low <= 0 <= found.ci_high:
        return f"{points} {span}, not distinguishable"
    return f"{points} {span}"


def _cost(facts: Facts) -> str:
    cost = facts.summary.get("cost") or {}
    savings = {
        float(r["rate"]): r["saving"]
        for r in cost.get("by_rate") or ()
        if r["method"] == facts.method and r["saving"] is not None
    }
    if not savings:
        return ""
    told = ", ".join(f"{_share(savings[r])} at {100 * r:g}%" for r in sorted(savings))
    pays = words.pays(cost.get("break_even_rate"), cost.get("budget"))
    return (
        f"Everything the method needs included, the time saved against one full training is: "
        f"{told}. In words: {pays}."
    )


def _share(saving: float) -> str:
    return f"{100 * saving:.0f}%" if saving >= 0 else f"minus {100 * -saving:.0f}%"


def _sure(facts: Facts) -> str:
    rows = [r for r in facts.summary.get("extrapolation") or () if r["score"] == facts.score]
    seeds = len(facts.summary["seeds"])
    text = (
        f"How sure is this? Differences are paired by seed, with 95% intervals over {seeds} seeds."
        if seeds >= words.MIN_SEEDS
        else f"How sure is this? {words.plural(seeds, 'seed')} cannot give an interval: "
        "the differences may be chance."
    )
    heldout = _mean(r["heldout"]["spearman"] for r in rows)
    truth = _mean((r.get("reference") or {}).get("spearman") for r in rows)
    if heldout is None:
        return text
    unseen = _mean((r.get("crossfit") or {}).get("spearman") for r in rows)
    text += (
        f" The order of the predicted scores agrees with the subset's own scores at a rank "
        f"correlation of {heldout:.2f} on held-out samples, which is optimistic"
        if unseen is None
        else f" What nets predict that never saw a sample agrees in order with the subset's own "
        f"scores at a rank correlation of {unseen:.2f} (cross-fitted, on held-out samples)"
    )
    if truth is None:
        return f"{text}; how it compares with full-data scores was not measured."
    return f"{text}; with scores from training on everything it is {truth:.2f}{_limits(rows)}."


def _limits(rows: list[Any]) -> str:
    references = [r.get("reference") or {} for r in rows]
    ceiling = _mean(r.get("ceiling_spearman") for r in references)
    reliability = _mean(r.get("reliability_spearman") for r in references)
    told = []
    if ceiling is not None:
        told.append(f"the subset's own scores reach {ceiling:.2f}")
    if reliability is not None:
        told.append(f"two full runs agree at {reliability:.2f}")
    return f" ({', '.join(told)})" if told else ""


def _mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return fmean(known) if known else None
