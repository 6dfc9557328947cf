"""A comparison as lines of text: the same cells for the terminal and for Markdown, plain numbers
for CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunectl import words

Row = Mapping[str, Any]
_FEW_RUNS = 4
_SHOWN_LABELS = 3
CSV_COLUMNS = (
    "data", "fingerprint", "runs", "method", "policy", "rate", "metric", "mean", "std", "n",
    "versus", "versus_run", "difference", "ci_low", "ci_high", "pairs", "distinguishable",
    "not_paired", "loop_seconds", "loop_passes", "saving", "saving_passes", "front_seconds",
    "front_passes",
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """A titled table; a column whose name ends with ``>`` is flush right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def grids(found: Row, *, wide: bool = False) -> list[Grid]:
    """Settings that differ, then for every data set and metric the figures and the front. ``wide``:
    also the cost of figures that are on no front, for where lines may be long."""
    tables = [settings(found)] if found["settings"] else []
    several = len(found["groups"]) > 1
    for group in found["groups"]:
        for metric in dict.fromkeys(row["metric"] for row in group["rows"]):
            rows = [row for row in group["rows"] if row["metric"] == metric]
            where = f" on {group['data']['name']} ({', '.join(group['runs'])})" if several else ""
            about = f"{_plain(metric)}{where}"
            tables.append(_figures(found, group, about, rows, wide))
            tables.append(_front(group, about, rows, _short(found)))
    return tables


def settings(found: Row) -> Grid:
    """Runs as columns while they are few, else as rows."""
    labels = [run["label"] for run in found["runs"]]
    keys = [row["key"] for row in found["settings"]]
    values = [[_setting(value) for value in row["values"]] for row in found["settings"]]
    title = "Settings that differ"
    if len(labels) <= _FEW_RUNS:
        return Grid(
            title, ["setting", *labels], [[k, *v] for k, v in zip(keys, values, strict=True)]
        )
    lines = [[label, *(v[i] for v in values)] for i, label in enumerate(labels)]
    return Grid(title, ["run", *keys], lines)


def sentences(found: Row) -> list[str]:
    """What may be concluded and what one has to know."""
    return [*(text for group in found["groups"] for text in group["verdicts"]), *found["notes"]]


def markdown(found: Row) -> str:
    """All of it as Markdown."""
    blocks = []
    for grid in grids(found, wide=True):
        names = [_cell(name.rstrip(">")) for name in grid.columns]
        rule = ["---:" if name.endswith(">") else "---" for name in grid.columns]
        lines = [names, rule, *([_cell(c) for c in row] for row in grid.rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        blocks.append(f"### {grid.title}\n\n{table}")
    blocks.append("\n".join(f"- {_cell(text)}" for text in sentences(found)))
    return "\n\n".join(blocks)


def csv_text(found: Row) -> str:
    """One line a figure, plain numbers, nothing rounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for group in found["groups"]:
        for row in group["rows"]:
            writer.writerow(["" if v is None else v for v in _plain_values(group, row)])
    return out.getvalue().rstrip("\n")


def _plain_values(group: Row, row: Row) -> Iterator[Any]:
    versus = row["versus"] or {}
    yield from (group["data"]["name"], group["data"]["fingerprint"], " ".join(row["runs"]))
    yield from (row[name] for name in CSV_COLUMNS[3:10])
    yield from (versus.get(name) for name in ("method", "run", "mean", "ci_low", "ci_high", "n"))
    yield versus.get("distinguishable")
    yield from (row[name] for name in CSV_COLUMNS[17:])


def _figures(found: Row, group: Row, about: str, rows: Sequence[Row], wide: bool) -> Grid:
    base = found["baseline"]
    name = base["method"] if base["run"] is None else f"{base['run']} ({base['method']})"
    short = _short(found)
    columns = (
        "run", "method", "policy", "rate", "mean>", "std>", "n>",
        f"points above {name} [95%]", *(("seconds>", "passes>") if wide else ()), "saved %>",
    )  # fmt: skip
    lines = [
        [
            _labels(group, row, short), row["method"], row["policy"] or words.DASH,
            _rate(row["rate"]), words.percent(row["mean"]), words.percent(row["std"]),
            str(row["n"]), words.versus_random(row["versus"]),
            *((_seconds(row["loop_seconds"]), words.count(row["loop_passes"])) if wide else ()),
            words.percent(row["saving"], 1),
        ]
        for row in rows
    ]  # fmt: skip
    return Grid(f"{about} in percent, by prune rate, and the time saved", columns, lines)


def _front(group: Row, about: str, rows: Sequence[Row], short: Mapping[str, str]) -> Grid:
    on = [row for row in rows if row["front_seconds"] or row["front_passes"]]
    by = "passes" if not group["seconds_comparable"] else "seconds"
    on.sort(key=lambda row: (row[f"loop_{by}"] is None, row[f"loop_{by}"] or 0.0))
    lines = [
        [
            _labels(group, row, short), row["method"], row["policy"] or words.DASH,
            _rate(row["rate"]), words.percent(row["mean"]), _seconds(row["loop_seconds"]),
            words.count(row["loop_passes"]), _fronts(row),
        ]
        for row in on
    ]  # fmt: skip
    columns = ("run", "method", "policy", "rate", "mean>", "seconds>", "passes>", "best at its")
    title = (
        f"Pareto front of {about.lower()} against total cost, by means: nothing cheaper is as good"
    )
    return Grid(title, columns, lines)


def _fronts(row: Row) -> str:
    return ", ".join(what for what in ("seconds", "passes") if row[f"front_{what}"])


def _labels(group: Row, row: Row, short: Mapping[str, str]) -> str:
    labels = [short[label] for label in row["runs"]]
    if len(labels) == len(group["runs"]):
        return labels[0] if len(labels) == 1 else "all"
    more = f" +{len(labels) - _SHOWN_LABELS}" if len(labels) > _SHOWN_LABELS else ""
    return ", ".join(labels[:_SHOWN_LABELS]) + more


def _short(found: Row) -> dict[str, str]:
    """Labels for crowded tables: the numbers of a sweep's cells, where all are cells."""
    labels = [str(run["label"]) for run in found["runs"]]
    numbers = [label.partition("-")[0] for label in labels]
    told = len(set(numbers)) == len(labels) and all(n.isdigit() for n in numbers)
    return dict(zip(labels, numbers if told else labels, strict=True))


def _plain(metric: str) -> str:
    return metric.replace("_", " ").capitalize()


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_setting(one) for one in value) or "none"
    return "null" if value is None else str(value)


def _rate(rate: float) -> str:
    return f"{rate:.4f}".rstrip("0").ljust(4, "0")


def _seconds(value: float | None) -> str:
    return words.DASH if value is None else f"{value:,.2f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
