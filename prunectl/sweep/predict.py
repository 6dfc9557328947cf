"""What a sweep would cost, asked of a worker; and the answer in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.sweep_spec import SweepSpec
from prunectl import words
from prunectl.jobs import ask
from prunectl.sweep.options import Options
from prunectl.sweep.slots import Wish, asked_threads, available_cores, make_slots

LONG_HOURS = 24.0
"""Predicted device hours above which a front end asks before it starts."""


def predict(
    spec: SweepSpec,
    options: Options,
    runs: Path,
    narrate: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """A worker's prediction, and the wall-clock time on the slots there would be."""
    compute = dict(spec.base.get("compute") or {})
    named = options.device_names()
    device = named[0] if named else str(compute.get("device") or "auto")
    wish = Wish(options.jobs, options.slots_per_device, compute.get("threads") or asked_threads())
    cores = available_cores()
    threads = make_slots(["cpu"], wish, cores)[0].threads if device in ("cpu", "auto") else None
    job = {
        "job": "estimate_sweep", "sweep": spec.to_dict(), "runs_dir": str(runs),
        "device": device, "threads": threads,
    }  # fmt: skip
    found: dict[str, Any] = ask(job, narrate)
    slots = make_slots(named or found["devices"], wish, cores)
    found["slots"] = [slot.name for slot in slots]
    found["seconds"] = max(found["longest_path_seconds"], found["device_seconds"] / len(slots))
    return found


def hours(found: Mapping[str, Any]) -> float:
    """Predicted device hours."""
    return float(found["device_seconds"]) / 3600


def sentences(found: Mapping[str, Any]) -> list[str]:
    """Tasks and what is shared, device time, time on the slots and disk, cells that cannot pay."""
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
