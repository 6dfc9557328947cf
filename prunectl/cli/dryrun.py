"""``run --dry-run``: what a run will cost and whether it can pay, before a second is spent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from core.predicted import SOURCES
from core.spec import Spec
from prunectl import words
from prunectl.cli import output, results
from prunectl.jobs import ask


def dry_run(spec: Spec, runs: Path, *, as_json: bool) -> int:
    """Ask a worker for the estimate and show it; nothing is left on the disk."""
    job = {"job": "estimate", "spec": spec.to_dict(), "runs_dir": str(runs)}
    found = ask(job, _narrate)
    if as_json:
        output.data_json(found)
        return output.OK
    head = f"Predicted for {words.plural(len(spec.seeds), 'seed')} on {found['device']}"
    output.show(results.stage_table(head, found["tasks"]), "")
    table = results.saving_table(found["by_rate"], spec.extrapolate.name)
    if table is not None:
        output.show(table, "")
    output.show(*(Text(line) for line in _sentences(found)))
    return output.OK


def _sentences(found: Mapping[str, Any]) -> list[str]:
    seconds = f"seconds: {SOURCES.get(str(found.get('source')), 'predicted')}"
    full = found.get("full_seconds")
    exact = found.get("passes_exact", True)
    lines = [
        f"{words.passes_known(exact)}; {seconds}; nothing was run",
        f"this run: {words.about(found['seconds'])}; one full training: {words.clock(full)}; "
        f"disk: {words.size(found.get('disk_bytes'))}",
        words.pays(found.get("break_even_rate"), found.get("budget")),
    ]
    return lines + [str(text) for text in found.get("cannot_pay") or ()]


def _narrate(line: Mapping[str, Any]) -> None:
    done, total = line.get("done"), line.get("total")
    if done is not None and done == total:
        output.say(f"data prepared: {words.count(total)} samples")
