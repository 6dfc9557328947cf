"""Rows of sweeps in the list of runs. One object follows the journals of a folder's sweeps."""

from __future__ import annotations

from core.journal import Tail
from core.runs import REPORT, State
from core.sweeps import Sweep
from prunectl import words
from prunectl.sweep.view import SweepView, apply
from prunectl.tui.row import Row, flat_yaml

_CHUNK = 1 << 20
_QUIET = ("points", "checkpoint", "extrapolated")
_LONGEST = 64 << 20
"""A longer journal of a sweep that nobody works on is not read for a row."""


class SweepRows:
    """Makes rows; of each sweep it keeps what its journal said so far."""

    def __init__(self) -> None:
        self._outlines: dict[str, tuple[Tail, SweepView]] = {}
        self._words: dict[str, dict[str, str]] = {}

    def forget(self, name: str) -> None:
        """The sweep is gone."""
        self._outlines.pop(name, None)
        self._words.pop(name, None)

    def read(self, sweep: Sweep, state: State) -> Row:
        """The row of a sweep as it stands."""
        said = self._settings(sweep)
        view = self._view(sweep, state)
        best = view.best()
        point = saving = None
        if best is not None:
            rate, accuracy = best.figures.get("rate") or 0.0, best.figures["test_accuracy"] or 0.0
            point, saving = f"{100 * accuracy:.1f}% at {rate:.2f}", best.figures.get("saving")
        share = 1.0 if state.status == "finished" else view.share if view.tasks else None
        params = " ".join(f"{key.removeprefix('base.')}={text}" for key, text in said.items())
        return Row(
            sweep, sweep.created, state.shown, _reason(view, state), _cells(view, state), share,
            said.get("base.data.name", ""), "sweep", point or "", saving,
            f"sweep {params}".lower(), (sweep.path / REPORT).is_file(),
        )  # fmt: skip

    def _settings(self, sweep: Sweep) -> dict[str, str]:
        if sweep.id not in self._words:
            text = sweep.definition.read_text(encoding="utf-8")
            self._words[sweep.id] = dict(flat_yaml(text))
        return self._words[sweep.id]

    def _view(self, sweep: Sweep, state: State) -> SweepView:
        if sweep.id not in self._outlines:
            self._outlines[sweep.id] = Tail(sweep.journal, without=_QUIET), SweepView()
        tail, view = self._outlines[sweep.id]
        if not state.alive and not view.cells and _size(sweep) > _LONGEST:
            return view
        while records := tail.poll(_CHUNK):
            for record in records:
                apply(view, record)
        if not state.alive:  # the row says all of it until something changes
            self._outlines.pop(sweep.id, None)
        return view


def _cells(view: SweepView, state: State) -> str:
    """How many cells have ended."""
    if state.behind and state.alive:
        return f"behind {state.behind}"
    if not view.cells:
        return ""
    ended = sum(cell.ended for cell in view.cells.values())
    return f"{ended}/{len(view.cells)} cells"


def _reason(view: SweepView, state: State) -> str:
    """Why it ended, or how many cells failed so far."""
    failed = sum(cell.status == "failed" for cell in view.cells.values())
    if failed and state.reason in (None, "cells_failed"):
        return f"{words.plural(failed, 'cell')} failed"
    return state.reason or ""


def _size(sweep: Sweep) -> int:
    try:
        return sweep.journal.stat().st_size
    except OSError:
        return 0
