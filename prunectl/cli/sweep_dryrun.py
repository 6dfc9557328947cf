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
from prunectl.jobs import ask
from prunectl.sweep.options import Options
from prunectl.sweep.slots import Wish, asked_threads, available_cores, make_slots
from prunectl.sweep.table import short

_ASK_HOURS = 24.0
_ROWS = 24


def predict(spec: SweepSpec, options: Options, runs: Path) -> dict[str, Any]:
    """A worker's prediction, and the wall-clock time on the slots there would be."""
    compute = dict(spec.base.get("compute") or {})
    named = options.device_names()
    device = named[0] if named else str(compute.get("device") or "auto")
    wish = Wish(options.jobs, options.slots_per_device, compute.get("threads") or asked_threads())
    cores = available_cores()
    threads = make_slots(["cpu"], wish, cores)[0].threads if device in ("cpu", "auto") else None
    found: dict[str, Any] = ask(
        {
            "job": "estimate_sweep", "sweep": spec.to_dict(), "runs_dir": str(runs),
            "device": device, "threads": threads,
        }
    )  # fmt: skip
    slots = make_slots(named or found["devices"], wish, cores)
    found["slots"] = [slot.name for slot in slots]
    found["seconds"] = max(found["longest_path_seconds"], found["device_seconds"] / len(slots))
    return found


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
    output.show(*(Text(line) for line in _sentences(found)))


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


def _sentences(found: Mapping[str, Any]) -> list[str]:
    total, count = len(found["tasks"]), len(found["slots"])
    source = "a short probe" if found["source"] == "probe" else "earlier runs"
    lines = [
        f"{words.plural(total, 'task')} for {found['tasks_alone']} in cells run alone; "
        f"{found['shared']} shared, {found['sealed']} already sealed",
        f"device time: {words.about(found['device_seconds'])}, in cells run alone "
        f"{words.about(found['device_seconds_alone'])}; seconds from {source} on this device",
        f"{words.about(found['seconds'])} on {words.plural(count, 'slot')}; "
        f"disk: {words.size(found['disk_bytes'])}; nothing was run",
    ]
    for entry in found["cannot_pay"]:
        cells = entry["cells"]
        place = (
            "all cells"
            if len(cells) == len(found["cells"])
            else ", ".join(cell.partition("-")[0] for cell in cells[:8])
        )
        more = f" and {len(cells) - 8} more" if place != "all cells" and len(cells) > 8 else ""
        lines.append(f"{entry['what']}; true of {place}{more}")
    return lines


def ask_if_long(spec: SweepSpec, options: Options, runs: Path) -> None:
    """Say what is predicted; above a day of device time go on only when the user agrees."""
    found = predict(spec, options, runs)
    hours = found["device_seconds"] / 3600
    output.say(
        f"predicted: {words.about(found['device_seconds'])} of device time, "
        f"{words.about(found['seconds'])} on {words.plural(len(found['slots']), 'slot')}"
    )
    if hours <= _ASK_HOURS:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{hours:.0f} device hours are predicted", "--yes if you mean it")
    import typer

    if not typer.confirm(f"{hours:.0f} device hours: go on?", err=True):
        raise UserError("not started")
