"""A sweep's cells as a heat map over two axes: a number and a shade in each, colour besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunectl import words
from prunectl.sweep.grid import MEASURES, STATUS, Grid, Measure, shown, value
from prunectl.sweep.table import short
from prunectl.sweep.view import CellView
from prunectl.tui.drawing import Line, Look, clean, fit
from prunectl.tui.known_sweep import KnownSweep, SweepChoice
from prunectl.tui.panels.stages import STATUS as LETTERS

LEVELS = 5
_SHADES, _PLAIN_SHADES = " ░▒▓█", " .:+#"
_NARROW, _WIDE = 10, 26
_TALL = 7
"""Lines and columns of the largest cell."""


@dataclass(frozen=True)
class _Window:
    """The rows and columns in sight, and the cells each takes."""

    label: int
    width: int
    tall: int
    rows: range
    columns: range


def draw(known: KnownSweep, choice: SweepChoice, width: int, height: int, look: Look) -> list[Line]:
    """What is shown, the other axes' values, the heads of the columns, then the rows."""
    if not known.view.cells:
        return [[(_waiting(known), "dim")]]
    grid, measure = known.grid(choice), MEASURES[choice.measure]
    extent = grid.range_of(measure)
    still = _fixed(known, choice, grid, width)
    window = _window(grid, choice, width, height - 2 - len(still))
    lines = [_title(known, choice, extent, width, look), *still, _heads(known, grid, window, look)]
    for row in window.rows:
        lines += _row(known, choice, grid, row, window, extent, look)
    lines += _unseen(grid, window, width)
    return lines[: max(height, 1)]


def place_at(
    known: KnownSweep, choice: SweepChoice, width: int, height: int, column: int, line: int
) -> tuple[int, int] | None:
    """Row and column of the cell that is drawn at a place, None where there is none."""
    if not known.view.cells:
        return None
    grid = known.grid(choice)
    above = 2 + bool(grid.fixed)
    window = _window(grid, choice, width, height - above)
    down, across = (line - above) // window.tall, (column - window.label) // window.width
    if 0 <= down < len(window.rows) and 0 <= across < len(window.columns):
        return window.rows[down], window.columns[across]
    return None


def _waiting(known: KnownSweep) -> str:
    if not known.read_all:
        return "reading"
    if known.state.behind:
        return f"queued behind {clean(known.state.behind)}"
    if said := known.view.preparing:
        return f"preparing {clean(said.task)} {said.done / (said.total or 1):.0%}"
    return "preparing" if known.state.alive else "it ended before there was a plan"


def _title(
    known: KnownSweep, choice: SweepChoice, extent: tuple[float, float] | None, width: int,
    look: Look,
) -> Line:  # fmt: skip
    measure = MEASURES[choice.measure]
    title = measure.title
    rates = {c.figures.get("rate") for c in known.view.cells.values() if c.figures}
    rates.discard(None)
    if measure.name in ("test_accuracy", "saving") and len(rates) == 1:
        title += f" at prune rate {words.number(rates.pop(), 2)}"
    line: Line = [(title, "strong")]
    if extent is not None and choice.measure != STATUS:
        line.append((f"  {measure.text(extent[0])} ", "dim"))
        shades = _PLAIN_SHADES if look.ascii else _SHADES
        line += [(f" {shade} ", f"h{level + 1}") for level, shade in enumerate(shades)]
        line.append((f" {measure.text(extent[1])}", "dim"))
    elif choice.measure != STATUS:
        line.append(("  none has finished", "dim"))
    return line


def _fixed(known: KnownSweep, choice: SweepChoice, grid: Grid, width: int) -> list[Line]:
    """Values of the axes that are not shown, and which of the slices this is."""
    if not grid.fixed:
        return []
    said = ", ".join(
        f"{short(key, known.view.axes)} {clean(shown(v))}" for key, v in grid.fixed.items()
    )
    count = known.slices(choice)
    number = f"[ ] {choice.slice % count + 1} of {count}: "
    return [[(number, "dim"), (said, "text")]]


def _window(grid: Grid, choice: SweepChoice, width: int, height: int) -> _Window:
    names = [clean(shown(v)) for v in grid.row_values] if grid.rows else []
    label = min(max([len(name) for name in names] + [8]), max(width // 3, 8)) + 1
    count = max((width - label) // _NARROW, 1)
    across = _around(choice.column, len(grid.column_values), count)
    widest = min((width - label) // max(len(across), 1), _WIDE)
    down = len(grid.row_values)
    height -= len(across) < len(grid.column_values)  # a line says which are in sight
    tall = min(max(height // max(down, 1), 1), _TALL)
    tall -= tall % 2 == 0  # the number stands in the middle
    room = max(height // tall, 1)
    if tall == 1 and down > room and len(across) == len(grid.column_values):
        room = max(room - 1, 1)  # one line says what is not in sight
    rows = _around(choice.row, down, room)
    return _Window(label, max(widest, _NARROW - 1), tall, rows, across)


def _around(at: int, total: int, room: int) -> range:
    """So many of ``total`` places, with ``at`` among them."""
    first = min(max(at - room // 2, 0), max(total - room, 0))
    return range(first, min(first + room, total))


def _heads(known: KnownSweep, grid: Grid, window: _Window, look: Look) -> Line:
    axes = known.view.axes
    names = [clean(short(key, axes)) if key else "" for key in (grid.rows, grid.columns)]
    ends = "~" if look.ascii else "…"
    corner = "\\".join(name for name in names if name)
    line: Line = [(fit(corner, window.label - 1, ellipsis=ends) + " ", "dim")]
    for column in window.columns:
        name = clean(shown(grid.column_values[column])) if grid.columns else "all"
        line.append((_centre(name, window.width, ends), "s1"))
    return line


def _row(
    known: KnownSweep, choice: SweepChoice, grid: Grid, row: int, window: _Window,
    extent: tuple[float, float] | None, look: Look,
) -> list[Line]:  # fmt: skip
    name = clean(shown(grid.row_values[row])) if grid.rows else ""
    label = fit(name, window.label - 1, ellipsis="~" if look.ascii else "…") + " "
    middle: Line = [(label, "s1")]
    margin: Line = [(" " * window.label, "")]
    for column in window.columns:
        here = (row, column) == (choice.row, choice.column)
        said, style = cell_text(grid.at(row, column), choice.measure, extent, look)
        ends = "[]" if here else "  "
        inner = _centre(said, window.width - 3, "~" if look.ascii else "…")
        middle += [(ends[0] + inner + ends[1], "here" if here else style), (" ", "")]
        block = style if style.startswith("h") else ""  # only values fill their cell
        margin += [(" " * (window.width - 1), block), (" ", "")]
    above = window.tall // 2
    return [*([margin] * above), middle, *([margin] * (window.tall - 1 - above))]


def cell_text(
    cell: CellView | None, name: str, extent: tuple[float, float] | None, look: Look
) -> tuple[str, str]:
    """What stands in a cell, and its style: shade and number, else a letter for how it stands."""
    if cell is None:
        return "", "faint"
    measure = MEASURES[name]
    found = value(cell, measure)
    if found is not None and extent is not None:
        level = level_of(found, extent)
        shade = (_PLAIN_SHADES if look.ascii else _SHADES)[level]
        return f"{shade} {measure.text(found)}", f"h{level + 1}"
    return _standing(cell, measure)


def level_of(found: float, extent: tuple[float, float]) -> int:
    """Which of the shades a value has, 0 for the lowest; all alike are in the middle."""
    low, high = extent
    if high <= low:
        return LEVELS // 2
    return min(int((found - low) / (high - low) * LEVELS), LEVELS - 1)


def standing_of(cell: CellView) -> tuple[str, str]:
    """Letter and style of a cell's status."""
    return LETTERS.get(cell.shown, ("?", "warn"))


def _standing(cell: CellView, measure: Measure) -> tuple[str, str]:
    letter, style = standing_of(cell)
    if cell.shown in ("running", "begun"):
        return f"{letter} {cell.done / max(cell.tasks, 1):.0%}", style
    if cell.shown == "queued":
        return letter, "dim"
    said = cell.reason if cell.reason and not measure.name else ""
    return f"{letter} {clean(said or cell.shown)}", style


def _unseen(grid: Grid, window: _Window, width: int) -> list[Line]:
    """Which rows and columns these are, where not all fit."""
    said = []
    for name, seen, values in (
        ("rows", window.rows, grid.row_values), ("columns", window.columns, grid.column_values),
    ):  # fmt: skip
        if len(seen) < len(values):
            said.append(f"{name} {seen.start + 1}-{seen.stop} of {len(values)}")
    return [[(", ".join(said), "dim")]] if said else []


def _centre(text: str, width: int, ellipsis: str) -> str:
    short_text = fit(text, width, ellipsis=ellipsis).rstrip()
    return fit(" " * ((width - len(short_text)) // 2) + short_text, width, ellipsis=ellipsis)


def settings_text(cell: CellView, axes: Mapping[str, Sequence[Any]]) -> str:
    """``k 5, policy top_k``."""
    return ", ".join(f"{short(key, axes)} {clean(shown(cell.settings.get(key)))}" for key in axes)
