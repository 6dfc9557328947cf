"""Numbers in plain words: one wording for the command line, the reports and the console.

Metrics are fractions and are shown in percent, differences in percentage points. Undefined (None)
is a dash, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

MIN_SEEDS = 3
DASH = "-"
TRUTH_KINDS = {"mislabelled": "mislabelled", "ambiguous": "ambiguous", "rare": "rare look"}
"""Kinds of samples in a trial's ``truth`` and how they are called."""


def percent(fraction: float | None, digits: int = 2) -> str:
    """``0.9815`` as ``98.15``."""
    return DASH if fraction is None else f"{100 * fraction:.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    """A correlation or another plain number."""
    return DASH if value is None else f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """A count with thousands separated."""
    return DASH if value is None else f"{value:,.0f}"


def budget(name: str | None) -> str:
    """What the retrainings' budget means for the saving; empty where each has its epochs."""
    return {
        "steps": "nothing is saved in retraining: each takes as many steps as full "
        "(retrain.budget: steps)",
        "seconds": "nothing is saved in retraining: each takes as many seconds as full "
        "(retrain.budget: seconds), and how many steps that is depends on the machine",
        "real": "nothing is saved in retraining, only data: an epoch is as long as the real set, "
        "whatever was kept (retrain.epoch: real)",
    }.get(name or "", "")


def passes_known(exact: bool) -> str:
    """How well predicted sample passes are known."""
    return "sample passes are exact" if exact else "sample passes of retrainings are estimates"


def plural(n: int, noun: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def clock(seconds: float | None) -> str:
    """A time span for tables: ``0.42 s``, ``12.3 s``, ``3:05``, ``2:04:11``."""
    if seconds is None:
        return DASH
    if seconds < 99.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def elapsed(seconds: float) -> str:
    """A running clock, in whole seconds."""
    whole = max(round(seconds), 0)
    return f"{whole} s" if whole < 100 else clock(float(whole))


def about(seconds: float) -> str:
    """A time span that is only roughly known."""
    if seconds < 10:
        return "under 10 s"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"about {seconds / 3600:.1f} h"
    return f"about {seconds / 86400:.1f} days"


def ago(seconds: float) -> str:
    """How long something is past, for lists."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


def pace(done: float, total: float, seconds: float, since: float) -> str:
    """``400 a second, about 50 s left`` when ``since`` of ``done`` took these seconds; empty when
    nothing can be said yet."""
    if seconds <= 0 or since <= 0:
        return ""
    rate = since / seconds
    return f"{count(rate)} a second, {about((total - done) / rate)} left"


def size(count_of_bytes: float | None) -> str:
    """Bytes in MB or GB."""
    if count_of_bytes is None:
        return DASH
    if count_of_bytes < 1e9:
        return f"{count_of_bytes / 1e6:.1f} MB"
    return f"{count_of_bytes / 1e9:.1f} GB"


def versus_random(difference: Mapping[str, Any] | None) -> str:
    """A ``vs_random`` entry: points, interval, and what one may conclude."""
    if difference is None:
        return DASH
    mean, low, high = (difference.get(k) for k in ("mean", "ci_low", "ci_high"))
    if mean is None:
        return DASH
    text = f"{100 * mean:+.2f}"
    if low is None or high is None:
        return f"{text} (no interval)"
    text += f" [{100 * low:+.2f}, {100 * high:+.2f}]"
    if low <= 0 <= high:
        return f"{text} not distinguishable"
    return f"{text} {'better' if mean > 0 else 'worse'}"


def interval(low: float | None, high: float | None) -> str:
    """``[0.41, 0.60]``, or nothing where there is no interval."""
    return "" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"


def pays(break_even: float | None, retrainings: str | None = None) -> str:
    """The break-even rate as a sentence; what the ``retrainings``' budget means where it is not
    epochs, since no rate is cheaper then."""
    if said := budget(retrainings):
        return said
    if break_even is None:
        return "whether pruning pays is not known: full training was neither run nor predicted"
    if break_even >= 1:
        return "pruning never pays here: the loop without retraining costs more than full training"
    if break_even <= 0:
        return "pruning pays at every rate"
    return f"pruning pays above rate {break_even:.2f}"


def mean_truth(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean of the ``truth`` of several trials; None where any of them has none."""

    def mean(kind: str, key: str) -> float | None:
        values = [row[kind][key] for row in rows]
        return None if None in values else fmean(values)

    return {kind: {key: mean(kind, key) for key in rows[0][kind]} for kind in rows[0]}


def kept_truth(truth: Mapping[str, Any], n_train: int) -> str:
    """``of the 4.0% mislabelled samples, 62.5% were kept; of the 80 groups of near-duplicates, 2.3
    of 5.0 members on average``; what the data lack is left out."""
    found = []
    wrong, groups = truth["mislabelled"], truth["duplicates"]
    if wrong["n"]:
        share = percent(wrong["n"] / n_train, 1)
        found.append(f"of the {share}% mislabelled samples, {percent(wrong['kept'], 1)}% were kept")
    if groups["groups"]:
        members = f"{number(groups['kept'], 1)} of {number(groups['members'], 1)} members"
        found.append(f"of the {count(groups['groups'])} groups of near-duplicates, {members}")
        found[-1] += " on average"
    return "; ".join(found) or "no sample is mislabelled or has a near-duplicate"


def params(options: Mapping[str, Any] | None) -> str:
    """Chosen options: ``k=20 distance``."""
    named = dict(options or {})
    shown = (v if isinstance(v, str) else f"{k}={v}" for k, v in named.items())
    return " ".join(shown) or DASH


def covered(rows: Iterable[Mapping[str, Any]]) -> str:
    """How often 80% intervals held, over the rows of ``summary.extrapolation``; empty: unknown."""
    known = [row["coverage80"] for row in rows if row.get("coverage80") is not None]
    if not known:
        return ""
    share = 100 * sum(known) / len(known)
    judged = "as they should" if 75 <= share <= 85 else "too wide" if share > 85 else "too narrow"
    return f"80% intervals of the predictions held {share:.0f}% of the held-out scores: {judged}"


def of_generated(rows: Iterable[Mapping[str, Any]]) -> str:
    """What the rows of ``summary.extrapolation`` say of generated samples alone, a line each; empty
    where the data have none, or nothing else."""
    return "\n".join(_of_generated(row) for row in rows if row.get("generated"))


def _of_generated(row: Mapping[str, Any]) -> str:
    about = row["generated"]
    said = f"generated samples alone, {row['score']}, seed {row['seed']}: held-out (optimistic) "
    said += _spoken(about["heldout"])
    if about["reference"]:
        said += f"; unscored ones against full-data scores {_spoken(about['reference'])}"
    return said


def ended(rows: Iterable[Mapping[str, Any]]) -> str:
    """Where validation ended scores, of the rows of ``summary.extrapolation``, a line each; empty
    where it did not choose."""
    return "\n".join(_ended(row) for row in rows if row.get("until"))


_JUDGED = {
    "accuracy": "accuracy",
    "robust_accuracy": "accuracy under PGD",
    "cw_robust_accuracy": "accuracy under PGD on the margin",
}


def judged(metric: str) -> str:
    """The metric by which validation chose, in words."""
    return _JUDGED.get(metric, metric.replace("_", " "))


def _ended(row: Mapping[str, Any]) -> str:
    nets = row["until"]
    where = " and ".join(f"epoch {net['epoch']} of {net['of']}" for net in nets)
    best = ", ".join(f"{percent(net['accuracy'], 1)}%" for net in nets)
    return (
        f"{row['score']}, seed {row['seed']}, ends with {where}: best {judged(nets[0]['by'])} on "
        f"the validation samples, {best}"
    )


def _spoken(values: Mapping[str, Any]) -> str:
    if values["spearman"] is None:
        return f"undefined (n = {count(values['n'])})"
    span = interval(values["ci_low"], values["ci_high"]) or "(no interval)"
    return f"{values['spearman']:.3f} {span} (n = {count(values['n'])})"
