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
from prunectl.choice import Chosen, chosen_of
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
    chosen = chosen_of(folder, names)
    if baseline is not None and (other := _other_run(folder, chosen, baseline)) is not None:
        chosen.add(other)
        baseline = other.id
    paths = [str(path) for path in chosen.runs]
    labels = chosen.labels()
    job = {"job": "compare", "runs": paths, "labels": labels, "absent": chosen.absent}
    found = ask({**job, "baseline": baseline})
    if as_json:
        output.data_json({"schema": 1, **found})
    elif as_csv:
        output.data(comparison.csv_text(found))
    elif as_markdown:
        output.data(comparison.markdown(found))
    else:
        output.show(*_blocks(found))
    return output.OK


def _other_run(folder: Path, chosen: Chosen, baseline: str) -> Run | None:
    """The baseline as a run that was not listed; names of methods and of what is listed go first:
    the worker knows them, and says the nearest of a wrong one."""
    runs = [run for run, _ in chosen.runs.values()]
    rows = (row for run in runs for row in (run.summary() or {}).get("trials") or ())
    listed = [*chosen.labels(), *(run.id for run in runs)]
    if baseline in {row["method"] for row in rows} or any(n.startswith(baseline) for n in listed):
        return None
    try:
        return find_run(folder, baseline)
    except UserError:
        return None


def _blocks(found: dict[str, Any]) -> list[RenderableType]:
    shown: list[RenderableType] = []
    for grid in comparison.grids(found):
        shown += [titled_table(grid.title, grid.columns, grid.rows), ""]
    if not found["settings"]:
        shown = [Text("Settings: no difference" if len(found["runs"]) > 1 else ""), *shown]
    lines = [Text(text, style="bold") for group in found["groups"] for text in group["verdicts"]]
    notes = [Text(text, style="italic") for text in found["notes"]]
    return [*shown, Group(*lines), "", Group(*notes)]
