"""One sweep: its cells as a heat map, and around it the cell, failures, work and log."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal

from core import events as ev
from core.runs import Run
from core.sweeps import Sweep
from prunectl.sweep.grid import place_of
from prunectl.sweep.view import CellView, abandoned, apply
from prunectl.tui import doing_sweeps
from prunectl.tui.actions import SWEEP, bindings
from prunectl.tui.drawing import Line, fit_line
from prunectl.tui.known_sweep import KnownSweep, SweepChoice, next_measure
from prunectl.tui.panels import sweep_grid, sweep_parts
from prunectl.tui.reading import RunNews
from prunectl.tui.screens.base import GENEROUS, GOOD, TIGHT, TINY
from prunectl.tui.screens.follow import FollowScreen
from prunectl.tui.widgets.panel import Panel

PANELS = {
    "grid": sweep_grid.draw, "cell": sweep_parts.cell, "failures": sweep_parts.failures,
    "work": sweep_parts.work, "log": None,
}  # fmt: skip
_UNREAD = ("points", "checkpoint")
# What a running task says all the time, and the panels that show it.
_MOVING = (ev.Progress, ev.Resumed)
_MOVED = frozenset({"head", "panel-work"})
_CHOSEN = frozenset({"panel-grid", "panel-cell", "about"})


class SweepScreen(FollowScreen):
    """A sweep, live or ended."""

    where = SWEEP
    BINDINGS: ClassVar[list[BindingType]] = bindings(SWEEP)
    DEFAULT_CSS = """
    SweepScreen #head, SweepScreen #tabs, SweepScreen #about { height: 1; padding: 0 1; }
    SweepScreen #about { display: none; }
    SweepScreen.-tight #about { display: block; }
    SweepScreen.-generous #tabs { display: none; }
    SweepScreen #left { width: 3fr; }
    SweepScreen #right { width: 2fr; }
    SweepScreen .panel { border: round $edge; border-title-color: $accent; padding: 0 1;
      height: 1fr; }
    SweepScreen .panel:focus { border: round $accent; }
    SweepScreen.-generous #panel-grid { height: 2fr; }
    SweepScreen.-good #panel-cell { height: 10; }
    SweepScreen.-good #panel-cell.-only { height: 1fr; }
    SweepScreen.-tight .panel { border: none; }
    SweepScreen.-tiny #body, SweepScreen.-tiny #tabs, SweepScreen.-tiny #head,
    SweepScreen.-tiny #about { display: none; }
    """

    def __init__(self, sweep: Sweep) -> None:
        super().__init__()
        self.known = KnownSweep(sweep)
        self.choice = SweepChoice()
        self.current = "grid"

    def body(self) -> ComposeResult:
        """Head, tabs, grid and log at the left, the rest at the right, a line below."""
        head, tabs = Panel(self._head, id="head"), Panel(self._tabs, id="tabs")
        about = Panel(self._about, id="about")
        head.can_focus = tabs.can_focus = about.can_focus = False
        yield head
        yield tabs
        made = {name: self._panel(number, name) for number, name in enumerate(PANELS, 1)}
        made["grid"].can_focus = False  # the arrow keys move its cursor, not its lines
        with Horizontal(id="body"):
            with Container(id="left"):
                yield made["grid"]
                yield made["log"]
            with Container(id="right"):
                yield made["cell"]
                yield made["failures"]
                yield made["work"]
        yield about

    def _panel(self, number: int, name: str) -> Panel:
        draw = partial(self._draw, name)
        return Panel(draw, f"{number} {name}", id=f"panel-{name}", classes="panel",
                     bottom=name == "log")  # fmt: skip

    def _draw(self, name: str, width: int, height: int) -> list[Line]:
        look, draw = self.console.look, PANELS[name]
        if draw is None:
            return self.journal.draw(width, height, look)
        return draw(self.known, self.choice, width, height, look)

    def on_mount(self) -> None:
        """Start reading."""
        super().on_mount()
        run = Run(self.known.sweep.path)  # a sweep's journal and state lie where a run's do
        self.follow(run, without=_UNREAD)

    # -- what is new --

    @on(RunNews)
    def _news(self, news: RunNews) -> None:
        known = self.known
        self.take(news, known, apply)
        if known.read_all and not known.state.alive:
            abandoned(known.view)
        news.taken.set()
        quiet = not (news.state or news.trouble or news.read_all)
        if quiet and all(isinstance(record.event, _MOVING) for record in news.records):
            self.redraw(_MOVED)
        else:
            self.redraw()

    def _head(self, width: int, height: int) -> list[Line]:
        return sweep_parts.head(self.known, width, self.console.look)

    def _about(self, width: int, height: int) -> list[Line]:
        return sweep_parts.about(self.known, self.choice, width, self.console.look)

    def _tabs(self, width: int, height: int) -> list[Line]:
        line: Line = []
        for number, name in enumerate(PANELS, 1):
            here = name == self.current
            said = f"{number} {name}" if here or width >= 60 else f"{number}"
            line.append((f" {said} ", "here" if here else "dim"))
        return [fit_line(line, width)]

    # -- layout --

    def layout_changed(self) -> None:
        """All side by side; the grid with its cell; or one at a time."""
        shown = {self.current}
        if self.size_class == GENEROUS:
            shown = set(PANELS)
        elif self.size_class == GOOD and self.current in ("grid", "cell"):
            shown = {"grid", "cell"} if self.current == "grid" else {"cell"}
        for name in PANELS:
            self.query_one(f"#panel-{name}").display = name in shown
        together = self.size_class == GENEROUS
        self.query_one("#body").styles.layout = "horizontal" if together else "vertical"
        for side, names in (("left", ("grid", "log")), ("right", ("cell", "failures", "work"))):
            box = self.query_one(f"#{side}")
            box.display = bool(shown & set(names))
            box.styles.width = None if together else "100%"
            alone = self.size_class in (TIGHT, TINY) or len(shown) == 1
            box.styles.height = "100%" if together or alone else "1fr" if side == "left" else "10"
        self.query_one("#panel-cell").set_class(self.current == "cell", "-only")
        panel = self.query_one(f"#panel-{self.current}", Panel)
        self.set_focus(panel if panel.can_focus else None)
        self.redraw()

    def action_panel(self, number: int) -> None:
        """Show a panel, or go to it where all are shown."""
        self.current = list(PANELS)[number - 1]
        self.layout_changed()

    # -- the grid --

    def action_move(self, rows: int, columns: int) -> None:
        """The next cell in a direction; the edge is the edge."""
        grid, choice = self.known.grid(self.choice), self.choice
        choice.row = min(max(choice.row + rows, 0), len(grid.row_values) - 1)
        choice.column = min(max(choice.column + columns, 0), len(grid.column_values) - 1)
        self.redraw(_CHOSEN)

    @on(Panel.Pointed)
    def _pointed(self, event: Panel.Pointed) -> None:
        size = event.panel.size
        if event.panel.id == "panel-grid":
            place = sweep_grid.place_at(
                self.known, self.choice, size.width, size.height, event.column, event.line
            )
            if place is not None:
                self.choice.row, self.choice.column = place
                self.redraw(_CHOSEN)

    def action_measure(self) -> None:
        """What the cells show."""
        self.choice.measure = next_measure(self.choice.measure)
        self.redraw(_CHOSEN)

    def action_columns(self) -> None:
        """The next axis across; the one down is passed over."""
        self._turn(*self.known.axes(self.choice))

    def action_rows(self) -> None:
        """The next axis down; the one across goes where it was."""
        rows, columns = self.known.axes(self.choice)
        keys = list(self.known.view.axes)
        if rows is None or len(keys) < 2:
            self.console.say("this sweep has one axis")
            return
        chosen = keys[(keys.index(rows) + 1) % len(keys)]
        self._choose(chosen, rows if chosen == columns else columns)

    def _turn(self, rows: str | None, columns: str | None) -> None:
        keys = [key for key in self.known.view.axes if key != rows]
        if columns is None or len(keys) < 2:
            self.console.say("there is no other axis: u turns rows and columns round")
            return
        self._choose(rows, keys[(keys.index(columns) + 1) % len(keys)])

    def _choose(self, rows: str | None, columns: str | None) -> None:
        """Other axes; the cursor stays on its cell."""
        cell = self.known.cell(self.choice)
        self.choice.rows, self.choice.columns = rows, columns
        if cell is not None:
            self._go_to(cell)
        self.redraw(_CHOSEN)

    def _go_to(self, cell: CellView) -> None:
        """The slice and the place of a cell."""
        view, choice = self.known.view, self.choice
        places = place_of(view, cell)
        rows, columns = self.known.axes(choice)
        choice.row = places.get(str(rows), 0)
        choice.column = places.get(str(columns), 0)
        choice.slice = 0
        for key, values in view.axes.items():
            if key not in (rows, columns):
                choice.slice = choice.slice * len(values) + places[key]

    def action_slice(self, by: int) -> None:
        """Other values of the axes that stand still."""
        count = self.known.slices(self.choice)
        if count < 2:
            self.console.say("all cells are in this table")
            return
        self.choice.slice = (self.choice.slice + by) % count
        self.redraw(_CHOSEN)

    def action_failed(self) -> None:
        """The next cell that failed, after the one under the cursor."""
        failed, here = self.known.failed(), self.known.cell(self.choice)
        if not failed:
            self.console.say("no cell has failed")
            return
        order = list(self.known.view.cells)
        at = order.index(here.id) if here else -1
        self._go_to(next((c for c in failed if order.index(c.id) > at), failed[0]))
        self.redraw(_CHOSEN)

    def action_open(self) -> None:
        """Open the run of the cell."""
        cell = self.known.cell(self.choice)
        run = self.known.sweep.cell(cell.id) if cell is not None else None
        if run is not None and run.spec_file.is_file():
            self.console.open_run(run)
        elif cell is not None:
            self.console.say(f"{cell.id} has no run folder yet: it is made when the cell has ended")

    # -- the sweep --

    def action_back(self) -> None:
        """Leave the screen; the sweep goes on."""
        self.app.pop_screen()

    def action_stop(self) -> None:
        """Begin nothing more, after a question."""
        if self.console.may_change():
            self.console.ask_stop(self.known.sweep)

    def action_cancel(self) -> None:
        """Stop at checkpoints, after a question."""
        if self.console.may_change():
            self.console.ask_cancel(self.known.sweep)

    def action_resume(self) -> None:
        """Go on with the sweep."""
        if self.console.may_change():
            self.console.do(lambda: doing_sweeps.resume(self.known.sweep))

    def action_retry(self) -> None:
        """Go on, failed cells too."""
        if self.console.may_change():
            self.console.do(lambda: doing_sweeps.resume(self.known.sweep, retry_failed=True))

    def action_copy_id(self) -> None:
        """Copy the cell's id, which other commands take."""
        cell = self.known.cell(self.choice)
        sweep = self.known.sweep.id
        self.console.copy(f"{sweep}/{cell.id}" if cell is not None and cell.ended else sweep)

    def action_copy_path(self) -> None:
        """Copy the sweep's folder."""
        self.console.copy(str(self.known.sweep.path))

    def action_report(self) -> None:
        """Open the sweep's report."""
        self.console.open_report(self.known.sweep)
