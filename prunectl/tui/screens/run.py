"""One run: the rail of its stages, and panels that stand side by side where there is room."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal

from core import events as ev
from core.runs import Run
from prunectl.tui import doing
from prunectl.tui.actions import RUN, bindings
from prunectl.tui.drawing import Line, fit_line
from prunectl.tui.known import AXES, SMOOTHING, Choice, Known
from prunectl.tui.panels import cost, curves, device, extrapolation, scores, stages, tradeoff
from prunectl.tui.reading import RunNews
from prunectl.tui.screens.base import GENEROUS, TIGHT
from prunectl.tui.screens.dialogs import Choose
from prunectl.tui.screens.follow import FollowScreen
from prunectl.tui.widgets.panel import Panel
from prunectl.view import apply

PANELS = {
    "curves": curves.draw, "extrapolation": extrapolation.draw, "trade-off": tradeoff.draw,
    "cost": cost.draw, "scores": scores.draw, "log": None, "device": device.draw,
    "stages": stages.draw,
}  # fmt: skip
_STEP = 0.02
_WHILE_READING = 0.4  # seconds between pictures of a history that is still being read
# What a running task says all the time, and the panels that show it.
_MOVING = (ev.Points, ev.Progress, ev.Checkpoint)
_MOVED = frozenset({"head", "rail", "rail-device", "panel-curves", "panel-device", "panel-stages"})
# What a key changes.
_CURVES = frozenset({"panel-curves"})
_BY_SEED = frozenset({"panel-extrapolation", "panel-scores"})


class RunScreen(FollowScreen):
    """A run, live or ended."""

    where = RUN
    BINDINGS: ClassVar[list[BindingType]] = bindings(RUN)
    DEFAULT_CSS = """
    RunScreen #head { height: 1; padding: 0 1; }
    RunScreen #tabs { height: 1; padding: 0 1; }
    RunScreen.-generous #tabs { display: none; }
    RunScreen #side { width: 30; }
    RunScreen.-generous #side { width: 30; }
    RunScreen.-tight #side { display: none; }
    RunScreen .panel { border: round $edge; border-title-color: $accent; padding: 0 1; }
    RunScreen .panel:focus { border: round $accent; }
    RunScreen #side Panel { height: 1fr; }
    RunScreen #side #rail-device { display: none; }
    RunScreen.-generous #side #rail-device { display: block; height: 9; }
    RunScreen #panels { layout: grid; grid-size: 2 3; grid-rows: 5fr 4fr 4fr; width: 1fr; }
    RunScreen #panels.-alone { grid-size: 1 1; grid-rows: 1fr; }
    RunScreen.-tight .panel { border: none; padding: 0; }
    RunScreen.-tiny #body, RunScreen.-tiny #tabs, RunScreen.-tiny #head { display: none; }
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.known = Known(run)
        self.choice = Choice()
        self.current = "curves"
        self.zoomed = False
        self._drawn = 0.0

    def body(self) -> ComposeResult:
        """Head, tabs, rail and panels."""
        head, tabs = Panel(self._head, id="head"), Panel(self._tabs, id="tabs")
        head.can_focus = tabs.can_focus = False
        yield head
        yield tabs
        with Horizontal(id="body"):
            with Container(id="side"):
                rail = Panel(self._drawer("stages"), "stages", id="rail", classes="panel")
                meter = Panel(self._drawer("device"), "device", id="rail-device", classes="panel")
                rail.can_focus = meter.can_focus = False
                yield rail
                yield meter
            with Container(id="panels"):
                for number, name in enumerate(PANELS, 1):
                    yield Panel(
                        self._drawer(name), f"{number} {name}", id=f"panel-{name}",
                        classes="panel", bottom=name == "log",
                    )  # fmt: skip

    def _drawer(self, name: str) -> partial[list[Line]]:
        return partial(self._draw, name)

    def _draw(self, name: str, width: int, height: int) -> list[Line]:
        look = self.console.look
        draw = PANELS[name]
        if draw is None:
            return self.journal.draw(width, height, look)
        return draw(self.known, self.choice, width, height, look)

    def on_mount(self) -> None:
        """Start reading."""
        super().on_mount()
        self.follow(self.known.run)

    # -- what is new --

    @on(RunNews)
    def _news(self, news: RunNews) -> None:
        known = self.known
        self.take(news, known, apply)
        known.summary = news.summary or known.summary
        known.predicted = news.predicted or known.predicted
        known.scores.update(news.scores)
        news.taken.set()
        quiet = not (
            news.state or news.summary or news.predicted or news.scores or news.trouble
            or news.read_all
        )  # fmt: skip
        if quiet and not known.read_all and monotonic() - self._drawn < _WHILE_READING:
            return  # a long history comes in pieces; its end draws everything
        self._drawn = monotonic()
        if quiet and all(isinstance(record.event, _MOVING) for record in news.records):
            self.redraw(_MOVED)
        else:
            self.redraw()

    def _head(self, width: int, height: int) -> list[Line]:
        return stages.head(self.known, width, self.console.look)

    def _tabs(self, width: int, height: int) -> list[Line]:
        line: Line = []
        short = width < 76
        for number, name in enumerate(PANELS, 1):
            here = name == self.current
            if name == "stages" and self.size_class != TIGHT:
                continue  # they stand beside
            said = f"{number} {name}" if here or not short else f"{number}"
            line += [(f" {said} ", "here" if here else "dim")]
        return [fit_line(line, width)]

    # -- layout --

    def layout_changed(self) -> None:
        """Side by side, or one at a time."""
        together = self.size_class == GENEROUS and not self.zoomed
        if self.current == "stages" and self.size_class != TIGHT:
            self.current = "curves"
        if self.current == "device" and together:
            self.current = "curves"
        self.query_one("#panels").set_class(not together, "-alone")
        for name in PANELS:
            in_grid = name not in ("stages", "device")
            shown = in_grid if together else name == self.current
            self.query_one(f"#panel-{name}").display = shown
        self.query_one(f"#panel-{self.current}", Panel).focus()
        self.redraw()

    def action_panel(self, number: int) -> None:
        """Show a panel, or go to it where all are shown."""
        self.current = list(PANELS)[number - 1]
        if self.current == "device" and self.size_class == GENEROUS:
            self.zoomed = True
        self.layout_changed()

    def action_zoom(self) -> None:
        """One panel alone, or all."""
        focused = self.focused
        if isinstance(focused, Panel) and focused.id and focused.id.startswith("panel-"):
            self.current = focused.id.removeprefix("panel-")
        self.zoomed = not self.zoomed
        self.layout_changed()

    # -- curves --

    def action_axis(self) -> None:
        """Epochs, steps, time."""
        self.choice.axis = AXES[(AXES.index(self.choice.axis) + 1) % len(AXES)]
        self.redraw(_CURVES)

    def action_log(self) -> None:
        """Logarithmic loss or not."""
        self.choice.log = not self.choice.log
        self.redraw(_CURVES)

    def action_accuracy(self) -> None:
        """Accuracy or loss."""
        self.choice.accuracy = not self.choice.accuracy
        self.redraw(_CURVES)

    def action_smooth(self) -> None:
        """More smoothing, then none."""
        self.choice.smoothing = (self.choice.smoothing + 1) % len(SMOOTHING)
        self.redraw(_CURVES)

    def action_task(self, by: int) -> None:
        """The task after or before the one shown."""
        tasks = self.known.trained_tasks()
        if tasks:
            shown = self.known.shown_tasks(self.choice)
            at = tasks.index(shown[-1]) if shown and shown[-1] in tasks else 0
            self.choice.tasks = (tasks[(at + by) % len(tasks)],)
            self.redraw(_CURVES)

    def action_overlay(self) -> None:
        """Choose tasks to lay over each other."""
        names = self.known.trained_tasks()
        shown = self.known.shown_tasks(self.choice)
        self.app.push_screen(Choose(names, shown, curves.MOST), self._overlaid)

    def _overlaid(self, chosen: tuple[str, ...] | None) -> None:
        if chosen is not None:
            self.choice.tasks = chosen
            self.redraw(_CURVES)

    def action_cursor(self, by: int) -> None:
        """Move the cursor that reads values off the curves."""
        at = self.choice.cursor
        self.choice.cursor = 0.5 if at is None else min(max(at + by * _STEP, 0.0), 1.0)
        self.redraw(_CURVES)

    @on(Panel.Pointed)
    def _pointed(self, event: Panel.Pointed) -> None:
        if event.panel.id == "panel-curves":
            self.choice.cursor = min(max(event.share, 0.0), 1.0)
            event.panel.redraw()

    def action_seed(self) -> None:
        """The next seed."""
        seeds = self.known.seeds()
        if seeds:
            now = self.known.seed(self.choice)
            self.choice.seed = seeds[(seeds.index(now) + 1) % len(seeds)] if now in seeds else None
            self.redraw(_BY_SEED)

    def action_metric(self) -> None:
        """Another accuracy in the trade-off, where the trials have several."""
        names = tradeoff.metrics(self.known)
        if len(names) < 2:
            self.console.say("this run measures one accuracy only")
            return
        now = tradeoff.metric_shown(self.known, self.choice)
        self.choice.metric = names[(names.index(now) + 1) % len(names)]
        self.redraw(frozenset({"panel-trade-off"}))

    # -- the run --

    def action_back(self) -> None:
        """First the cursor goes, then the screen; the run goes on."""
        if self.choice.cursor is not None:
            self.choice.cursor = None
            self.redraw(_CURVES)
        else:
            self.app.pop_screen()

    def action_samples(self) -> None:
        """Look at pictures."""
        self.console.open_samples(self.known.run)

    def action_stop(self) -> None:
        """Stop the run, after a question."""
        if self.console.may_change():
            self.console.ask_stop(self.known.run)

    def action_resume(self) -> None:
        """Continue the run."""
        if self.console.may_change():
            self.console.do(lambda: doing.resume(self.known.run))

    def action_copy_id(self) -> None:
        """Copy the run's id."""
        self.console.copy(self.known.run.id)

    def action_copy_path(self) -> None:
        """Copy the run's folder."""
        self.console.copy(str(self.known.run.path))

    def action_report(self) -> None:
        """Open the run's report."""
        self.console.open_report(self.known.run)
