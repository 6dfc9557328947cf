"""The list of runs: live ones on top, rows filled and kept up to date by a reader."""

from __future__ import annotations

import threading
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import DataTable, Input

from prunectl import words
from prunectl.tui import doing, rows
from prunectl.tui.actions import RUNS, bindings
from prunectl.tui.drawing import Line, clean, fit_line
from prunectl.tui.reading import Pace, RowsNews, RunsReader
from prunectl.tui.row import Row
from prunectl.tui.screens.base import ConsoleScreen
from prunectl.tui.widgets.panel import Panel, themes_name


class Runs(ConsoleScreen):
    """All runs of a folder."""

    where = RUNS
    BINDINGS: ClassVar[list[BindingType]] = bindings(RUNS)
    DEFAULT_CSS = """
    Runs #head { height: 1; padding: 0 1; }
    Runs DataTable { height: 1fr; background: $background; scrollbar-size-vertical: 1; }
    Runs DataTable > .datatable--header { background: $background; color: $accent; }
    Runs #filter { height: 1; border: none; padding: 0 1; display: none; background: $panel; }
    Runs #filter.-open { display: block; }
    Runs #about { height: 1; padding: 0 1; }
    Runs.-tiny DataTable, Runs.-tiny #head, Runs.-tiny #about { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.pace: Pace | None = None
        self.rows: dict[str, Row] = {}
        self.complete = False
        self.trouble = ""
        self.sort_by, self.turned = "started", False
        self._columns: tuple[rows.Column, ...] = ()
        self._order: list[str] = []

    def body(self) -> ComposeResult:
        """Head, filter, table, and a line on the run under the cursor."""
        head, about = Panel(self._head, id="head"), Panel(self._about, id="about")
        head.can_focus = about.can_focus = False
        yield head
        table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=False)
        yield table
        yield Input(placeholder="name, status, data, key=value; -word leaves out", id="filter")
        yield about

    def on_mount(self) -> None:
        """Start reading."""
        super().on_mount()
        self.pace = Pace(self.console.seconds)
        reader = RunsReader(self.console.folder, self.pace, self.post_message)
        threading.Thread(target=reader.follow, name="runs", daemon=True).start()
        self.table.focus()

    def on_unmount(self) -> None:
        """Stop reading."""
        if self.pace:
            self.pace.stop()

    def on_screen_suspend(self) -> None:
        """Nobody looks: no more reading."""
        if self.pace:
            self.pace.rest()

    def on_screen_resume(self) -> None:
        """Somebody looks again."""
        if self.pace:
            self.pace.wake()

    @property
    def table(self) -> DataTable[Text]:
        """The table."""
        return self.query_one(DataTable)

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        at = self.table.cursor_row
        return self.rows.get(self._order[at]) if 0 <= at < len(self._order) else None

    # -- showing --

    def layout_changed(self) -> None:
        """Other columns for another width; the table is made anew."""
        fitting = rows.columns_for(self.app.size.width)
        if fitting != self._columns:
            self._columns = fitting
            self.table.clear(columns=True)
            for column in fitting:
                self.table.add_column(column.title, key=column.name, width=column.width)
            self._order = []
            self._arrange()

    @on(RowsNews)
    def _news(self, news: RowsNews) -> None:
        self.trouble = news.trouble
        changed = [row.run.id for row in news.rows]
        for row in news.rows:
            self.rows[row.run.id] = row
        for name in news.gone:
            self.rows.pop(name, None)
        self.complete = self.complete or news.complete
        self._arrange(changed)

    def _wanted(self) -> list[str]:
        text = self.query_one("#filter", Input).value
        fitting = [r for r in self.rows.values() if rows.fits(r, text)]
        return [r.run.id for r in rows.ordered(fitting, self.sort_by, self.turned)]

    def _arrange(self, changed: list[str] | None = None) -> None:
        """Bring the table to what is wanted: cells changed in place, rows added or removed; made
        anew only where the order itself is another."""
        wanted = self._wanted()
        kept = self.chosen
        table = self.table
        theme, plain = themes_name(self), self.console.look.ascii
        old = set(self._order)
        same = [name for name in wanted if name in old] == self._order
        if not same or wanted[: len(self._order)] != self._order:
            table.clear()
            self._order, old = [], set()
        for name in (n for n in changed or [] if n in old):
            for column in self._columns:
                table.update_cell(name, column.name, column.cell(self.rows[name], theme, plain))
        for name in wanted[len(self._order) :]:
            cells = [c.cell(self.rows[name], theme, plain) for c in self._columns]
            table.add_row(*cells, key=name)
        self._order = wanted
        if kept is not None and kept.run.id in self.rows and kept.run.id in wanted:
            table.move_cursor(row=wanted.index(kept.run.id), animate=False)
        self._say()

    def _say(self) -> None:
        for panel in self.query(Panel):
            panel.redraw()

    def _head(self, width: int, height: int) -> list[Line]:
        live = sum(r.live for r in self.rows.values())
        said: Line = [("prunectl", "strong"), (f"  {clean(self.console.folder)}", "dim")]
        if self.trouble:
            said.append((f"  {clean(self.trouble)}", "bad"))
        shown = len(self._order)
        counted = words.plural(len(self.rows), "run")
        if shown != len(self.rows):
            counted = f"{shown} of {counted}"
        if not self.complete:
            counted = f"reading, {counted}"
        order = f"by {self.sort_by}{' turned' if self.turned else ''}"
        right = f"{counted}, {live} live, {order}"
        if self.console.read_only:
            right += ", read-only"
        room = width - len(right) - 1
        if room < 12:
            return [fit_line([(right, "dim")], width)]
        return [[*fit_line(said, room), (" ", ""), (right, "dim")]]

    def _about(self, width: int, height: int) -> list[Line]:
        row = self.chosen
        if row is None:
            said = "no run fits the filter" if self.rows else "no runs yet: n makes one"
            return [[(said if self.complete else "", "dim")]]
        reason = f": {clean(row.reason)}" if row.reason and row.reason != row.status else ""
        return [[(clean(row.run.id), "strong"), (f"  {row.status}{reason}", "text"),
                 (f"  {clean(row.stage)}", "dim")]]  # fmt: skip

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self.query_one("#about", Panel).redraw()

    @on(DataTable.RowSelected)
    def _entered(self) -> None:
        self.action_open()

    @on(DataTable.HeaderSelected)
    def _header(self, event: DataTable.HeaderSelected) -> None:
        name = str(event.column_key.value)
        self.turned = not self.turned if name == self.sort_by else False
        self.sort_by = name
        self._arrange()

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        self._arrange()

    @on(Input.Submitted, "#filter")
    def _taken(self) -> None:
        self.table.focus()

    # -- doing --

    def action_open(self) -> None:
        """Open the run under the cursor."""
        if row := self.chosen:
            self.console.open_run(row.run)

    def action_filter(self) -> None:
        """Type a filter."""
        field = self.query_one("#filter", Input)
        field.add_class("-open")
        field.focus()

    def action_clear(self) -> None:
        """Leave the filter."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.remove_class("-open")
        self.table.focus()

    def action_sort(self) -> None:
        """Sort by the next column."""
        names = [c.name for c in self._columns]
        at = names.index(self.sort_by) if self.sort_by in names else -1
        self.sort_by, self.turned = names[(at + 1) % len(names)], False
        self._arrange()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.turned = not self.turned
        self._arrange()

    def action_new_run(self) -> None:
        """Compose a run."""
        if self.console.may_change():
            self.console.open_new_run()

    def action_stop(self) -> None:
        """Stop the run under the cursor, after a question."""
        if (row := self.chosen) and self.console.may_change():
            self.console.ask_stop(row.run)

    def action_cancel(self) -> None:
        """Stop what is under the cursor at a checkpoint, after a question."""
        if (row := self.chosen) and self.console.may_change():
            self.console.ask_cancel(row.run)

    def action_resume(self) -> None:
        """Continue the run under the cursor."""
        if (row := self.chosen) and self.console.may_change():
            self.console.resume(row.run)

    def action_delete(self) -> None:
        """Move the run under the cursor to the trash, after a question."""
        if (row := self.chosen) and self.console.may_change():
            question = f"Move {row.run.id} to the trash?"
            self.console.ask(question, lambda: doing.delete(row.run))

    def action_copy_id(self) -> None:
        """Copy the run's id."""
        if row := self.chosen:
            self.console.copy(row.run.id)

    def action_copy_path(self) -> None:
        """Copy the run's folder."""
        if row := self.chosen:
            self.console.copy(str(row.run.path))

    def action_report(self) -> None:
        """Open the run's report."""
        if row := self.chosen:
            self.console.open_report(row.run)

    def action_leave(self) -> None:
        """Leave the console."""
        self.app.exit(0)
