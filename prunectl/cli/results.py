"""``summary.json`` as tables: accuracy, rank correlation, the ledger, where everything is.

Percent and percentage points; times in seconds as measured. What the numbers do not show is said
in words beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from core.predicted import Predicted, read_predicted
from core.runs import REPORT, Run
from prunectl import words

Row = Mapping[str, Any]
_METRICS = {
    "test_accuracy": "Test accuracy", "test_robust_accuracy": "Robust test accuracy (PGD)",
    "test_cw_robust_accuracy": "Robust test accuracy (PGD on the margin)",
    "test_autoattack_accuracy": "Robust test accuracy (AutoAttack)",
}  # fmt: skip
_TRUTH = {
    "reference": "spearman", "ceiling": "ceiling_spearman", "reliability": "reliability_spearman",
}  # fmt: skip
_OPTIMISTIC = "held-out is optimistic: agreement with the subset's own scores"
_WITH_TRUTH = (
    "\nreference: against full-data scores, on unscored samples only"
    "\nceiling: the subset's scores against them; reliability: two full runs compared"
)
_CROSS_FITTED = (
    "\ncross-fitted is preferred: by nets that never saw the samples, but still against the same"
    "\nsubset's own scores, of which it cannot say how near the truth they are"
)
_WITHOUT_TRUTH = "\nonly a run with reference: full can tell the truth"


class Unwrapped(str):
    """Plain text whose lines are kept whole however wide they are."""


def everything(summary: Row, folder: Path) -> list[RenderableType]:
    """All tables of a run, in reading order."""
    predicted = read_predicted(Run(folder))
    blocks = [
        *(accuracy(summary, metric) for metric in _METRICS), correlation(summary),
        kept_recall(summary), truth(summary),
        stages(summary, predicted), saving(summary), verdict(summary), artifacts(summary, folder),
    ]  # fmt: skip
    shown: list[RenderableType] = []
    for block in blocks:
        if block is not None:
            shown += ["", block]
    return shown[1:]


def accuracy(summary: Row, metric: str = "test_accuracy") -> RenderableType | None:
    """Metric by method and prune rate, with what one may conclude against random pruning."""
    rows = [r for r in summary.get("tradeoff") or () if r.get("metric") == metric]
    if not rows:
        return None
    table = plain_table(
        "method", "rate", "mean>", "std>", "n>", "points above random, 95% interval"
    )
    for method, group in _by(rows, "method").items():
        style = "bold" if method == main_method(summary) else ""
        for index, row in enumerate(sorted(group, key=lambda r: r["rate"])):
            table.add_row(
                method if index == 0 else "", _rate(row["rate"]), words.percent(row["mean"]),
                words.percent(row["std"]), str(row["n"]), words.versus_random(row.get("vs_random")),
                style=style, end_section=index == len(group) - 1,
            )  # fmt: skip
    few = min(int(r["n"]) for r in rows)
    note = f"n = {few}: no interval below {words.MIN_SEEDS} seeds" if few < words.MIN_SEEDS else ""
    return _titled(f"{_METRICS[metric]} in percent, by prune rate", table, note)


def correlation(summary: Row) -> RenderableType | None:
    """Spearman correlation per seed: held-out, and against full-data scores where there are any."""
    rows = list(summary.get("extrapolation") or ())
    if not rows:
        return None
    truth = _TRUTH if any(r.get("reference") for r in rows) else {}
    scores = list(dict.fromkeys(str(r["score"]) for r in rows))
    common = _common([r.get("chosen") or {} for r in rows])
    varied = any(set(r.get("chosen") or {}) - set(common) for r in rows)
    columns = [*(["score"] if len(scores) > 1 else []), "seed", *(["chosen"] if varied else [])]
    unseen = ["cross-fitted"] if any(r.get("crossfit") for r in rows) else []
    names = [*columns, *unseen, "held-out (optimistic)"]
    table = plain_table(*names, *(f"{name}>" for name in truth))
    for row in rows:
        found, chosen = row.get("reference") or {}, row.get("chosen") or {}
        about = {
            "score": str(row["score"]), "seed": str(row["seed"]),
            "chosen": words.params({k: v for k, v in chosen.items() if k not in common}),
        }  # fmt: skip
        table.add_row(
            *(about[name] for name in columns),
            *(_heldout(row.get("crossfit") or {}) for _ in unseen),
            _heldout(row.get("heldout") or {}),
            *(words.number(found.get(key)) for key in truth.values()),
        )  # fmt: skip
    method = f"predicted by {rows[0]['method']}" + (f", {words.params(common)}" if common else "")
    better = _CROSS_FITTED if unseen else ""
    note = f"{method}{better}\n{_OPTIMISTIC}{_WITH_TRUTH if truth else _WITHOUT_TRUTH}"
    if held := words.covered(rows):
        note += f"\n{held}"
    for said in (words.of_generated(rows), words.ended(rows)):
        note += f"\n{said}" if said else ""
    title = f"Rank correlation (Spearman) of predicted {', '.join(scores)}"
    return _titled(title, table, note)


def kept_recall(summary: Row) -> RenderableType | None:
    """Share of the truly best samples that were kept, mean over seeds."""
    by_rate: dict[float, list[float]] = defaultdict(list)
    for row in summary.get("extrapolation") or ():
        for entry in (row.get("reference") or {}).get("kept_recall") or ():
            if entry.get("value") is not None:
                by_rate[entry["rate"]].append(entry["value"])
    if not by_rate:
        return None
    rates = sorted(by_rate)
    table = plain_table("rate", *(f"{_rate(rate)}>" for rate in rates))
    table.add_row("kept", *(words.percent(fmean(by_rate[r]), 1) for r in rates))
    table.add_row("by chance", *(words.percent(1 - r, 1) for r in rates))
    return _titled("Kept recall: share of the best by full-data score kept, percent", table)


def truth(summary: Row) -> RenderableType | None:
    """Where the dataset knows its samples: which kinds were kept, mean over seeds."""
    known = [r for r in summary.get("trials") or () if r.get("truth")]
    if not known:
        return None
    columns = [f"{title}>" for title in words.TRUTH_KINDS.values()]
    table = plain_table("method", "rate", *columns, "of a group>")
    said: list[str] = []
    for method, group in _by(known, "method").items():
        rates = sorted(_by(group, "rate").items(), key=lambda item: float(item[0]))
        for index, (rate, rows) in enumerate(rates):
            mean = words.mean_truth([r["truth"] for r in rows])
            cells = [words.percent(mean[kind]["kept"], 1) for kind in words.TRUTH_KINDS]
            table.add_row(
                method if index == 0 else "", _rate(float(rate)), *cells,
                words.number(mean["duplicates"]["kept"], 1),
                style="bold" if method == main_method(summary) else "",
                end_section=index == len(rates) - 1,
            )  # fmt: skip
            if method == main_method(summary):
                sentence = words.kept_truth(mean, summary["data"]["n_train"])
                sentence = sentence.replace("; ", ";\n  ")
                said.append(f"{method} at rate {_rate(float(rate))}: {sentence}")
    title = "What was kept of each kind of sample, percent; near-duplicates of a group, count"
    return _titled(title, table, "\n".join(said))


def stages(summary: Row, predicted: Predicted | None = None) -> RenderableType | None:
    """The ledger by kind of stage, beside what was predicted where something was."""
    rows = (summary.get("cost") or {}).get("stages") or ()
    if not rows:
        return None
    return stage_table("What it cost, all seeds together", rows, predicted)


def stage_table(
    title: str, rows: Iterable[Row], predicted: Predicted | None = None
) -> RenderableType:
    """Tasks, seconds and sample passes per kind of stage, of measured or predicted rows; with a
    prediction a column of its seconds, for the tasks it was made for."""
    before = ["predicted>"] if predicted else []
    table = plain_table("stage", "tasks>", "reused>", "seconds>", *before, "sample passes>")
    grouped = _by(rows, "stage")
    for stage, group in grouped.items():
        costs = _costs(group, predicted)
        table.add_row(stage, *costs, end_section=stage == list(grouped)[-1])
    table.add_row("all", *_costs([r for group in grouped.values() for r in group], predicted))
    note = f"predicted {predicted.about}; of 2: for two of these tasks" if predicted else ""
    return _titled(title, table, note)


def saving(summary: Row) -> RenderableType | None:
    """What each method saves per rate, in time and in sample passes."""
    cost = summary.get("cost") or {}
    return saving_table(cost.get("by_rate") or (), main_method(summary))


def saving_table(rows: Sequence[Row], method: str | None) -> RenderableType | None:
    """Saving by rate: the method in seconds and passes, every other one in seconds."""
    rows = [r for r in rows if r["method"] != "full"]
    if not rows:
        return None
    rates = sorted({r["rate"] for r in rows if r["method"] != "subset_only"})
    if not rates:
        return None
    table = plain_table("method", *(f"{_rate(rate)}>" for rate in rates))
    for name, group in _by(rows, "method").items():
        if not any(r["rate"] in rates for r in group):
            continue
        table.add_row(f"{name}, time", *_savings(group, rates, "saving"))
        if name == method:
            table.add_row(f"{name}, passes", *_savings(group, rates, "saving_passes"))
    return _titled("Saved against full training, percent; each method pays for all it needs", table)


def verdict(summary: Row) -> RenderableType | None:
    """The break-even rate as a sentence."""
    cost = summary.get("cost")
    if not cost:
        return None
    full = cost.get("full_training_seconds")
    how = "measured" if cost.get("full_measured") else "estimated"
    known = f" (full training: {words.clock(full)}, {how})" if full else ""
    return Text(words.pays(cost.get("break_even_rate"), cost.get("budget")) + known, style="bold")


def artifacts(summary: Row, folder: Path) -> Unwrapped:
    """Where everything lies."""
    lines = [("run", folder), ("numbers", folder / "summary.json")]
    if (summary.get("artifacts") or {}).get("scores"):
        lines.append(("scores", folder / "scores"))
    lines += [(n, folder / n) for n in ("kept", "predictions", "models") if _filled(folder / n)]
    if (folder / REPORT).is_file():
        lines.append(("report", folder / REPORT))
    width = max(len(name) for name, _ in lines)
    # One line a path however long it is: it is there to be copied.
    return Unwrapped("\n".join(f"{name:<{width}}  {path}" for name, path in lines))


def next_steps(summary: Row) -> str:
    """What one may do with a finished run, as commands to copy; empty when nothing was kept."""
    own = main_method(summary)
    rates = [
        r["rate"] for r in summary.get("trials") or () if r["method"] == own and r["kept_path"]
    ]
    if not rates:
        return ""
    code = str(summary["run"]).split("-")[0]
    return (
        f"the samples to keep:  prunectl export {code} --rate {sorted(rates)[0]:g} --out kept.npy\n"
        f"a page to send on:    prunectl report {code} --open"
    )


def main_method(summary: Row) -> str | None:
    """The spec's own method: the extrapolator's name."""
    return next((str(r["method"]) for r in summary.get("extrapolation") or ()), None)


def titled_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> RenderableType:
    """A title above ready cells."""
    table = plain_table(*columns)
    for row in rows:
        table.add_row(*row)
    return _titled(title, table)


def plain_table(*columns: str) -> Table:
    """An empty table; a column whose name ends with ``>`` is flush right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for name in columns:
        table.add_column(name.rstrip(">"), justify="right" if name.endswith(">") else "left")
    return table


def _titled(title: str, table: Table, note: str = "") -> RenderableType:
    """A table below its title; Rich's own titles are squeezed to the width of the table."""
    parts: list[RenderableType] = [Text(title, style="bold"), table]
    return Group(*parts, Text(note, style="italic")) if note else Group(*parts)


def _common(options: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Options that have one value in all rows."""
    first, *others = options
    return {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}


def _by(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(str(row[key]), []).append(row)
    return grouped


def _rate(rate: float) -> str:
    return f"{rate:.4f}".rstrip("0").ljust(4, "0")


def _heldout(heldout: Row) -> str:
    spearman, n = heldout.get("spearman"), heldout.get("n")
    if spearman is None:
        return f"undefined, n={n}"
    span = words.interval(heldout.get("ci_low"), heldout.get("ci_high")) or "(no interval)"
    return f"{spearman:.3f} {span} n={n}"


def _costs(rows: Sequence[Row], predicted: Predicted | None) -> tuple[str, ...]:
    reused = sum(bool(r.get("reused")) for r in rows)
    seconds = sum(r.get("seconds") or 0.0 for r in rows)
    passes = sum(r.get("sample_passes") or 0 for r in rows)
    return (
        str(len(rows)), str(reused), f"{seconds:,.2f}", *_foreseen(rows, predicted),
        words.count(passes),
    )  # fmt: skip


def _foreseen(rows: Sequence[Row], predicted: Predicted | None) -> list[str]:
    if predicted is None:
        return []
    found = [predicted.tasks[r["task"]] for r in rows if r["task"] in predicted.tasks]
    missing = len(rows) - len(found)
    said = f"{sum(found):,.2f}" if sum(found) else words.DASH
    return [f"{said} of {len(found)}" if found and missing else said]


def _savings(rows: Sequence[Row], rates: Sequence[float], key: str) -> list[str]:
    by_rate = {r["rate"]: r.get(key) for r in rows}
    return [words.percent(by_rate.get(rate), 1) for rate in rates]


def _filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
