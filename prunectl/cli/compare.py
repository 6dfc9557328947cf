"""``compare``: several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from core.errors import UserError
from core.runs import Run, find_run, runs_folder
from prunectl import comparison
from prunectl.cli import output
from prunectl.cli.results import titled_table
from prunectl.jobs import ask


def compare(
    names: Sequence[str],
    *,
    baseline: str | None,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
    runs_dir: Path | None,
) -> int:
    """Ask a worker for the comparison and print it in the wanted form."""
    if as_json + as_csv + as_markdown > 1:
        raise UserError("more than one of --json, --csv, --markdown", "give one of them")
    folder = runs_folder(runs_dir)
    runs = list({run.path: run for run in (find_run(folder, name) for name in names)}.values())
    if baseline is not None and (other := _other_run(folder, runs, baseline)) is not None:
        runs.append(other)
        baseline = other.id
    found = ask({"job": "compare", "runs": [str(r.path) for r in runs], "baseline": baseline})
    if as_json:
        output.data_json({"schema": 1, **found})
    elif as_csv:
        output.data(comparison.csv_text(found))
    elif as_markdown:
        output.data(comparison.markdown(found))
    else:
        output.show(*_blocks(found))
    return output.OK


def _other_run(folder: Path, runs: Sequence[Run], baseline: str) -> Run | None:
    """The baseline as a run that was not listed; a method's name goes first."""
    rows = (row for run in runs for row in (run.summary() or {}).get("trials") or ())
    if baseline in {row["method"] for row in rows}:
        return None
    try:
        other = find_run(folder, baseline)
        return None if other.path in {run.path for run in runs} else other
    except UserError:
        return None  # the worker knows all names there are and says the nearest


def _blocks(found: dict[str, Any]) -> list[RenderableType]:
    shown: list[RenderableType] = []
    for grid in comparison.grids(found):
        shown += [titled_table(grid.title, grid.columns, grid.rows), ""]
    if not found["settings"]:
        shown = [Text("Settings: no difference" if len(found["runs"]) > 1 else ""), *shown]
    lines = [Text(text, style="bold") for group in found["groups"] for text in group["verdicts"]]
    notes = [Text(text, style="italic") for text in found["notes"]]
    return [*shown, Group(*lines), "", Group(*notes)]
