"""What every screen has: layouts by size, a line of hints, a word when it is too small."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from prunectl.tui.actions import actions_for
from prunectl.tui.drawing import Line, centred, fit_line, width_of
from prunectl.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from prunectl.tui.app import Console

GENEROUS, GOOD, TIGHT, TINY = "generous", "good", "tight", "tiny"


def layout_for(width: int, height: int) -> str:
    """The layout of a terminal of so many cells."""
    if width < 40 or height < 12:
        return TINY
    if width < 80 or height < 24:
        return TIGHT
    return GOOD if width < 120 or height < 40 else GENEROUS


class ConsoleScreen(Screen[None]):
    """A screen of the console. ``where`` is its name in the registry of actions."""

    where: ClassVar[str] = ""
    DEFAULT_CSS = """
    ConsoleScreen { layers: base over; }
    ConsoleScreen .enlarge { display: none; layer: over; width: 100%; height: 100%; }
    ConsoleScreen.-tiny .enlarge { display: block; }
    ConsoleScreen .hints { height: 1; dock: bottom; padding: 0 1; }
    ConsoleScreen.-tiny .hints { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.size_class = GOOD

    @property
    def console(self) -> Console:
        """The application."""
        return cast("Console", self.app)

    def compose(self) -> ComposeResult:
        """The body of the screen, then what all screens have."""
        yield from self.body()
        hints = Panel(self._hints, classes="hints")
        enlarge = Panel(self._enlarge, classes="enlarge")
        hints.can_focus = enlarge.can_focus = False
        yield hints
        yield enlarge

    def body(self) -> ComposeResult:
        """What this screen shows."""
        yield from ()

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout."""
        self._choose_layout(event.size.width, event.size.height)

    def on_mount(self) -> None:
        """Choose the first layout."""
        self._choose_layout(self.app.size.width, self.app.size.height)

    def _choose_layout(self, width: int, height: int) -> None:
        self.size_class = layout_for(width, height)
        for name in (GENEROUS, GOOD, TIGHT, TINY):
            self.set_class(name == self.size_class, f"-{name}")
        self.layout_changed()

    def layout_changed(self) -> None:
        """The layout was chosen; ``size_class`` says which."""

    def _hints(self, width: int, height: int) -> list[Line]:
        hints = [
            ((action.keys, "strong"), (f" {action.label}  ", "dim"))
            for action in actions_for(self.where)
            if action.hint and not (action.changes and self.console.read_only)
        ]
        *own, last = hints  # the last is help: what does not fit is found there
        line: Line = []
        for hint in own:
            if width_of([*line, *hint, *last]) > width:
                break
            line += hint
        return [fit_line([*line, *last], width)]

    def _enlarge(self, width: int, height: int) -> list[Line]:
        return centred(f"enlarge: {width}x{height}, needs 40x12", width, height, "warn")
