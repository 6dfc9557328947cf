"""A sweep's cells as plain rows: what ``show --json`` prints and tables are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.journal import Tail
from core.sweeps import Sweep
from prunectl.sweep.view import CellView, SweepView, abandoned, apply


def view_of(sweep: Sweep) -> SweepView:
    """The sweep as its journal tells it now."""
    view, tail = SweepView(), Tail(sweep.journal, without=("points", "progress"))
    while records := tail.poll():
        for record in records:
            apply(view, record)
    if not sweep.state().alive:
        abandoned(view)
    return view


def about(sweep: Sweep, view: SweepView) -> dict[str, Any]:
    """The whole sweep: state, axes, cells."""
    state = sweep.state()
    return {
        "schema": 1, "sweep": sweep.id, "path": str(sweep.path), "status": state.shown,
        "reason": state.reason, "axes": {k: list(v) for k, v in view.axes.items()},
        "cells": [row(sweep, cell) for cell in view.cells.values()],
    }  # fmt: skip


def row(sweep: Sweep, cell: CellView) -> dict[str, Any]:
    """One cell."""
    folder = sweep.cell(cell.id).path
    return {
        "id": f"{sweep.id}/{cell.id}", "cell": cell.id, "settings": dict(cell.settings),
        "status": cell.shown, "reason": cell.reason, "what": cell.what or None,
        "tasks": cell.tasks, "done": cell.done, "figures": dict(cell.figures),
        "path": str(folder) if folder.is_dir() else None,
    }  # fmt: skip


def short(key: str, keys: Mapping[str, Any]) -> str:
    """An axis' last word where that tells it from the others: ``k`` for ``extrapolate.k``."""
    last = key.rpartition(".")[2]
    alone = sum(other.rpartition(".")[2] == last for other in keys) == 1
    return last if alone and last != "name" else key
