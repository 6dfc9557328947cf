"""The reducer and the table of cells, on a recorded sweep of eight cells of which four failed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core import events as ev
from core.journal import Record, read
from core.sweeps import Sweep
from prunectl.sweep import table
from prunectl.sweep.grid import MEASURES, cell_at, grid_of, place_of, shown, slices, value
from prunectl.sweep.view import SweepView, apply

RECORDED = Path(__file__).parents[2] / "journals" / "sweep"
K, POLICY, LR = "extrapolate.k", "prune.policy", "retrain.optimizer.lr"


@pytest.fixture
def view(tmp_path: Path) -> SweepView:
    shutil.copytree(RECORDED, tmp_path / "djl2-sweep")
    return table.view_of(Sweep(tmp_path / "djl2-sweep"))


def tell(view: SweepView, *events: ev.Event) -> None:
    for event in events:
        apply(view, Record(0, 1.0, event))


def test_a_failed_cell_stays_failed_while_tasks_it_shares_go_on(view: SweepView) -> None:
    """One failure leaves tasks that other cells share; that they run is no second try."""
    failed = [c.id[:2] for c in view.cells.values() if c.status == "failed"]
    assert failed == ["01", "03", "05", "07"]
    assert view.counted() == {"failed": 4, "finished": 4}
    assert view.cells["01-5-class_balanced-1000000000.0"].reason == "diverged"
    alone = SweepView()
    shared = {"task": "prune-b", "stage": "prune", "seed": 0, "trial": None, "needs": [],
              "sample_passes": 0, "cells": ["0", "1"]}  # fmt: skip
    own = {**shared, "task": "retrain-a", "cells": ["0"]}
    cells = [{"id": "0", "settings": {}}, {"id": "1", "settings": {}}]
    tell(
        alone, ev.SweepStarted("s", {}, cells, "h", [], {}), ev.Plan([own, shared]),
        ev.TaskStarted("retrain-a", "retrain", 0),
        ev.TaskFailed("retrain-a", "diverged", "no", "lower it"),
        ev.CellFinished("0", "failed", "diverged", "no"), ev.TaskStarted("prune-b", "prune", 0),
    )  # fmt: skip
    assert alone.cells["0"].shown == "failed"
    tell(alone, ev.RunFinished("failed", "cells_failed"))
    assert alone.cells["1"].shown == "queued"  # nothing is worked on any more
    tell(
        alone, ev.SweepStarted("s", {}, cells, "h", [], {}), ev.Plan([own, shared]),
        ev.TaskStarted("retrain-a", "retrain", 0),
    )  # fmt: skip
    assert (alone.cells["0"].shown, alone.cells["0"].reason) == ("running", None)


def test_every_cell_stands_once_in_the_slices(view: SweepView) -> None:
    for rows, columns in ((K, POLICY), (POLICY, K), (LR, K), (K, None), (None, None)):
        count = slices(view, rows, columns)
        found = []
        for number in range(count):
            grid = grid_of(view, rows, columns, number)
            for i, down in enumerate(grid.row_values):
                for j, across in enumerate(grid.column_values):
                    cell = grid.at(i, j)
                    assert cell is not None
                    assert cell_at(view, rows, columns, number, i, j) is cell
                    found.append(cell.id)
                    settings = {**grid.fixed, str(rows): down, str(columns): across}
                    assert all(settings[key] == text for key, text in cell.settings.items())
        assert sorted(found) == sorted(view.cells)
    cell = view.cells["03-5-top_k-1000000000.0"]
    assert place_of(view, cell) == {K: 0, POLICY: 1, LR: 1}


def test_only_finite_figures_of_finished_cells_are_values(view: SweepView) -> None:
    grid = grid_of(view, K, POLICY, 0)
    accuracy, correlation = MEASURES["accuracy"], MEASURES["correlation"]
    shown_ones = [value(c, accuracy) for line in grid.cells for c in line]
    assert grid.range_of(accuracy) == (min(shown_ones), max(shown_ones))  # type: ignore[type-var]  # none is None here
    failed = grid_of(view, K, POLICY, 1)
    assert failed.range_of(accuracy) is None
    assert failed.at(0, 0).figures["spearman"] is not None  # type: ignore[union-attr]  # there is a cell
    assert value(failed.at(0, 0), correlation) is None
    view.cells["00-5-class_balanced-0.05"].figures = {"test_accuracy": float("nan")}
    assert value(grid.at(0, 0), accuracy) is None
    assert grid.at(5, 0) is None and cell_at(view, K, POLICY, 0, 5, 0) is None
    assert value(None, accuracy) is None


def test_settings_read_as_in_a_spec() -> None:
    assert [shown(v) for v in (1e9, 0.05, True, None, "a", 5)] == [
        "1e+09", "0.05", "true", "null", "a", "5",
    ]  # fmt: skip


def test_the_recorded_journal_is_whole() -> None:
    records = list(read(RECORDED / "events.jsonl"))
    assert isinstance(records[0].event, ev.SweepStarted)
    assert isinstance(records[-1].event, ev.RunFinished)
