"""``ls``, ``show``, ``presets``, ``plugins``: commands that read and print."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from core import registry
from core.errors import UserError, nearest
from core.runs import Run, list_runs, runs_folder
from core.sweeps import Sweep, list_sweeps
from prunectl import words
from prunectl.api import RunHandle
from prunectl.cli import output, results
from prunectl.cli.control import chosen
from prunectl.cli.watch import NEEDS_LABELS, label_steps, say_next_steps
from prunectl.presets import all_presets, find_preset


def runs(*, as_json: bool, runs_dir: Path | None) -> int:
    """All runs and sweeps, newest first."""
    folder = runs_folder(runs_dir)
    found = [about(run) for run in list_runs(folder)]
    sweeps = [about_sweep(sweep) for sweep in list_sweeps(folder)]
    if as_json:
        output.data_json({"schema": 1, "runs": found, "sweeps": sweeps})
        return output.OK
    found = sorted([*found, *sweeps], key=lambda row: -float(row["created"]))
    if not found:
        output.say(f"there are no runs in {folder}; start one with: prunectl run quickstart")
        return output.OK
    table = _table("run", "status", "started", "data", "seeds", "break-even")
    for row in found:
        reason = f" ({row['reason']})" if row["reason"] and row["reason"] != row["status"] else ""
        behind = f" behind {row['behind']}" if row["behind"] else ""
        table.add_row(
            row["id"], row["status"] + reason + behind + _cells(row),
            words.ago(time.time() - row["created"]),
            row["data"] or "", _seeds(row["seeds"]), words.number(row["break_even_rate"], 2),
        )  # fmt: skip
    output.show(table)
    return output.OK


def about(run: Run) -> dict[str, Any]:
    """A run as ``ls --json`` lists it. Reads two small JSON files and no journal."""
    state, summary = run.state(), run.summary() or {}
    return {
        "id": run.id, "path": str(run.path), "status": state.shown, "reason": state.reason,
        "behind": state.behind, "host": state.host, "pid": state.pid,
        "created": run.spec_file.stat().st_mtime, "heartbeat": state.heartbeat,
        "data": (summary.get("data") or {}).get("name"), "seeds": summary.get("seeds"),
        "break_even_rate": (summary.get("cost") or {}).get("break_even_rate"),
    }  # fmt: skip


def about_sweep(sweep: Sweep) -> dict[str, Any]:
    """A sweep as ``ls --json`` lists it. Reads its definition and no journal."""
    state, spec = sweep.state(), sweep.spec()
    data, seeds = spec.base.get("data"), spec.base.get("seeds")
    ended = len(sweep.ended_cells())
    return {
        "id": sweep.id, "path": str(sweep.path), "status": state.shown, "reason": state.reason,
        "behind": state.behind, "host": state.host, "pid": state.pid,
        "created": sweep.created, "heartbeat": state.heartbeat,
        "data": data.get("name") if isinstance(data, dict) else None,
        "seeds": seeds if isinstance(seeds, list) else None, "break_even_rate": None,
        "cells": spec.count, "ended": ended,
    }  # fmt: skip


def show(text: str | None, *, as_json: bool, runs_dir: Path | None) -> int:
    """A run's results so far, or how far it is."""
    run = chosen(text, runs_dir)
    if isinstance(run, Sweep):
        from prunectl.cli import sweep

        return sweep.show(run, as_json=as_json)
    summary, state = run.summary(), run.state()
    if as_json:
        if summary is None:
            raise UserError(f"{run.id} has no results yet ({state.shown})", _todo(run))
        output.data_json(summary)
        return output.OK
    reason = f" ({state.reason})" if state.reason and state.reason != state.status else ""
    output.show(Text.assemble((run.id, "bold"), f"  {state.shown}{reason}"), "")
    if summary is not None:
        output.show(*results.everything(summary, run.path))
    if state.status != "finished":
        _show_progress(run)
    else:
        say_next_steps(run)
    return output.OK


def _show_progress(run: Run) -> None:
    view = RunHandle(run).view()
    table = _table("stage", "done", "of")
    for stage in view.stages():
        table.add_row(stage.stage, str(stage.finished), str(stage.total))
    if view.tasks:
        output.show("", table)
    for error in view.errors:
        output.say(f"error: {error}")
    output.say(_todo(run))


def _todo(run: Run) -> str:
    if run.state().alive:
        return f"follow it with: prunectl attach {run.id}"
    if run.state().reason == NEEDS_LABELS:
        return label_steps(run)
    return f"continue with: prunectl resume {run.id}"


def presets(name: str | None, *, as_json: bool) -> int:
    """All presets, or the text of one."""
    if name is not None:
        output.data(find_preset(name).read_text(encoding="utf-8").rstrip("\n"))
        return output.OK
    found = all_presets()
    if as_json:
        plain = [
            {"name": p.name, "path": str(p.path), "source": p.source, "about": p.about()}
            for p in found
        ]
        output.data_json({"schema": 1, "presets": plain})
        return output.OK
    table = _table("preset", "from", "about")
    for preset in found:
        table.add_row(preset.name, preset.source, preset.about())
    output.show(table)
    return output.OK


def plugins(kind: str | None, *, as_json: bool) -> int:
    """What can be named in a spec, with options; imports none of it."""
    if kind is not None and kind not in registry.KINDS:
        raise UserError(f"no kind of plug-in is called '{kind}'", nearest(kind, registry.KINDS))
    wanted = [k for k in registry.KINDS if kind in (None, k)]
    found = [registry.describe(k, name) for k in wanted for name in registry.names(k)]
    if as_json:
        output.data_json({"schema": 1, "plugins": [_plain(d) for d in found]})
        return output.OK
    table = _table("kind", "name", "what it is")
    last = ""
    for one in found:
        table.add_row("" if one.kind == last else one.kind, one.name, _first_line(one.doc))
        last = one.kind
        if kind is not None:
            for option in one.params:
                given = "must be given" if option.required else option.default
                table.add_row("", "", f"  {option.name} = {given}: {option.help}")
            if names := one.constants.get("PRESETS"):
                table.add_row("", "", f"  presets: {', '.join(names)}")
    output.show(table)
    return output.OK


def _plain(one: registry.Description) -> dict[str, Any]:
    return {
        "kind": one.kind, "name": one.name, "module": one.module, "about": _first_line(one.doc),
        "params": [
            {
                "name": p.name, "default": None if p.required else p.default,
                "required": p.required, "help": p.help,
            }
            for p in one.params
        ],
        "presets": list(one.constants.get("PRESETS", {})),
    }  # fmt: skip


def _first_line(doc: str) -> str:
    return doc.splitlines()[0] if doc else ""


def _cells(row: dict[str, Any]) -> str:
    return f", {row['ended']} of {row['cells']} cells" if "cells" in row else ""


def _seeds(seeds: Iterable[int] | None) -> str:
    return "" if seeds is None else " ".join(str(s) for s in seeds)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, no_wrap=index == 0)
    return table
