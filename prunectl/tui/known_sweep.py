"""What the console knows of one sweep, and what of it the user wants to see."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.runs import State
from core.sweeps import Sweep
from prunectl.sweep.grid import MEASURES, Grid, cell_at, grid_of, slices
from prunectl.sweep.view import CellView, SweepView


@dataclass
class SweepChoice:
    """What the user chose to see. Axes that are None are the first ones of the sweep."""

    measure: str = "accuracy"
    rows: str | None = None
    columns: str | None = None
    slice: int = 0
    row: int = 0
    column: int = 0


@dataclass
class KnownSweep:
    """One sweep as far as it has been read."""

    sweep: Sweep
    view: SweepView = field(default_factory=SweepView)
    state: State = field(default_factory=State)
    trouble: str = ""
    """Why something could not be read."""
    read_all: bool = False
    """Whether all that the journal held at the start is in the view."""

    @property
    def status(self) -> str:
        """The status for people."""
        return self.state.shown

    def axes(self, choice: SweepChoice) -> tuple[str | None, str | None]:
        """The axes down and across: as chosen, else the first and the second."""
        keys = list(self.view.axes)
        rows = choice.rows if choice.rows in keys else next(iter(keys), None)
        left = [key for key in keys if key != rows]
        columns = choice.columns if choice.columns in left else next(iter(left), None)
        return rows, columns

    def grid(self, choice: SweepChoice) -> Grid:
        """The table that is shown."""
        rows, columns = self.axes(choice)
        return grid_of(self.view, rows, columns, choice.slice % max(self.slices(choice), 1))

    def slices(self, choice: SweepChoice) -> int:
        """How many tables there are over the chosen axes."""
        return slices(self.view, *self.axes(choice))

    def cell(self, choice: SweepChoice) -> CellView | None:
        """The cell under the cursor."""
        rows, columns = self.axes(choice)
        number = choice.slice % max(self.slices(choice), 1)
        return cell_at(self.view, rows, columns, number, choice.row, choice.column)

    def failed(self) -> list[CellView]:
        """Cells that failed, in order."""
        return [cell for cell in self.view.cells.values() if cell.status == "failed"]


def next_measure(name: str) -> str:
    """The measure after this one."""
    names = list(MEASURES)
    return names[(names.index(name) + 1) % len(names)]
