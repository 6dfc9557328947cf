"""``sweep --dry-run``: cells, what they share, predicted device time and disk, cells that cannot
pay; and the question before a very long sweep."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from core.errors import UserError
from core.sweep_spec import SweepSpec
from prunectl import words
from prunectl.cli import output
from prunectl.cli.results import plain_table
from prunectl.sweep.options import Options
from prunectl.sweep.predict import LONG_HOURS, hours, predict, sentences
from prunectl.sweep.table import short

_ROWS = 24


def show(found: Mapping[str, Any], spec: SweepSpec) -> None:
    """The prediction on stdout."""
    cells = plain_table("cell", *(short(key, spec.axes) for key in spec.axes))
    for cell in found["cells"][:_ROWS]:
        values = [str(cell["settings"].get(key)) for key in spec.axes]
        cells.add_row(cell["id"].partition("-")[0], *values)
    output.show(Text(words.plural(len(found["cells"]), "cell"), style="bold"), cells)
    if (more := len(found["cells"]) - _ROWS) > 0:
        output.show(Text(f"and {more} more"))
    output.show("", _stages(found), "")
    output.show(*(Text(line) for line in sentences(found)))


def _stages(found: Mapping[str, Any]) -> Any:
    table = plain_table("stage", "tasks>", "shared>", "sealed>", "seconds>", "sample passes>")
    by_stage: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for task in found["tasks"]:
        by_stage[task["stage"]].append(task)
    for stage, tasks in by_stage.items():
        to_do = [task for task in tasks if not task["sealed"]]
        table.add_row(
            stage, str(len(tasks)), str(sum(len(t["cells"]) > 1 for t in tasks)),
            str(sum(bool(t["sealed"]) for t in tasks)),
            f"{sum(t['seconds'] for t in to_do):,.2f}",
            words.count(sum(t["sample_passes"] for t in to_do)),
        )  # fmt: skip
    return table


def ask_if_long(spec: SweepSpec, options: Options, runs: Path) -> None:
    """Say what is predicted; above a day of device time go on only when the user agrees."""
    found = predict(spec, options, runs)
    long = hours(found)
    output.say(
        f"predicted: {words.about(found['device_seconds'])} of device time, "
        f"{words.about(found['seconds'])} on {words.plural(len(found['slots']), 'slot')}"
    )
    if long <= LONG_HOURS:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{long:.0f} device hours are predicted", "--yes if you mean it")
    import typer

    if not typer.confirm(f"{long:.0f} device hours: go on?", err=True):
        raise UserError("not started")
