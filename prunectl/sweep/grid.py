"""A sweep's cells as a table over two of its axes: pure, for whoever draws it.

Of more than two axes the others stand still: the table is one slice, the next slice has their next
values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunectl import words
from prunectl.sweep.view import FINISHED, CellView, SweepView


@dataclass(frozen=True)
class Measure:
    """A figure of finished cells that a table can show. ``text`` writes it, without its unit."""

    name: str
    title: str
    text: Callable[[float], str]


STATUS = "status"
MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure("test_accuracy", "test accuracy in %", words.percent),
    "correlation": Measure("spearman", "held-out rank correlation", words.number),
    "saving": Measure("saving", "saving in %", lambda v: f"{100 * v:+.0f}"),
    STATUS: Measure("", "status", str),
}


@dataclass(frozen=True)
class Grid:
    """One slice. ``at(row, column)`` is a cell, None where the sweep has none there."""

    rows: str | None
    columns: str | None
    row_values: Sequence[Any]
    column_values: Sequence[Any]
    fixed: Mapping[str, Any]
    cells: Sequence[Sequence[CellView | None]]

    def at(self, row: int, column: int) -> CellView | None:
        """The cell at a place."""
        if 0 <= row < len(self.row_values) and 0 <= column < len(self.column_values):
            return self.cells[row][column]
        return None

    def range_of(self, measure: Measure) -> tuple[float, float] | None:
        """Lowest and highest value in this slice; None when no cell has one."""
        found = [v for line in self.cells for c in line if (v := value(c, measure)) is not None]
        return (min(found), max(found)) if found else None


def value(cell: CellView | None, measure: Measure) -> float | None:
    """The figure of a finished cell; None where there is none, or no finite one."""
    if cell is None or cell.status != FINISHED:
        return None
    found = cell.figures.get(measure.name)
    return found if found is not None and math.isfinite(found) else None


def others(view: SweepView, rows: str | None, columns: str | None) -> list[str]:
    """The axes that stand still."""
    return [key for key in view.axes if key not in (rows, columns)]


def slices(view: SweepView, rows: str | None, columns: str | None) -> int:
    """How many slices there are."""
    return math.prod(len(view.axes[key]) for key in others(view, rows, columns))


def grid_of(view: SweepView, rows: str | None, columns: str | None, number: int = 0) -> Grid:
    """The slice of that number (from 0) over two axes; None for no axis: one row, or one column."""
    places = _places_of_slice(view, rows, columns, number)
    down = list(view.axes[rows]) if rows else [None]
    across = list(view.axes[columns]) if columns else [None]
    listed = list(view.cells.values())
    lines = []
    for row in range(len(down)):
        line = []
        for column in range(len(across)):
            at = {**places, str(rows): row, str(columns): column}
            line.append(_cell(view, listed, at))
        lines.append(line)
    fixed = {key: view.axes[key][place] for key, place in reversed(places.items())}
    return Grid(rows, columns, down, across, fixed, lines)


def cell_at(
    view: SweepView, rows: str | None, columns: str | None, number: int, row: int, column: int
) -> CellView | None:
    """One cell of a slice, without the others."""
    places = _places_of_slice(view, rows, columns, number)
    at = {**places, str(rows): row, str(columns): column}
    inside = all(0 <= at[key] < len(values) for key, values in view.axes.items())
    return _cell(view, list(view.cells.values()), at) if inside else None


def _places_of_slice(
    view: SweepView, rows: str | None, columns: str | None, number: int
) -> dict[str, int]:
    """By axis that stands still, last one first, the number of its value in a slice."""
    places: dict[str, int] = {}
    for key in reversed(others(view, rows, columns)):
        number, places[key] = divmod(number, len(view.axes[key]))
    return places


def place_of(view: SweepView, cell: CellView) -> dict[str, int]:
    """By axis, the number of the cell's value."""
    return {
        key: next((i for i, v in enumerate(values) if v == cell.settings.get(key)), 0)
        for key, values in view.axes.items()
    }


def _cell(
    view: SweepView, listed: Sequence[CellView], places: Mapping[str, int]
) -> CellView | None:
    """Cells are listed with the last axis varying fastest, so the place is the number; that the
    settings fit is made sure of."""
    index = 0
    for key, values in view.axes.items():
        index = index * len(values) + places[key]
    if index >= len(listed):
        return None
    cell = listed[index]
    fits = all(cell.settings.get(k) == values[places[k]] for k, values in view.axes.items())
    return cell if fits else None


def shown(setting: Any) -> str:
    """A value of an axis for people: ``1e+09``, ``true``, ``null``."""
    if setting is None or isinstance(setting, bool):
        return {None: "null", True: "true", False: "false"}[setting]
    return f"{setting:g}" if isinstance(setting, float) else str(setting)
