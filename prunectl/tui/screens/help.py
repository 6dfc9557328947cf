"""The help screen, written from the registry of actions."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from prunectl.tui.actions import APP, TITLES, actions_for
from prunectl.tui.drawing import Line, fit, wrap
from prunectl.tui.panels.stages import STATUS
from prunectl.tui.widgets.panel import Panel


class Help(ModalScreen[None]):
    """What each key does on the screen below; scrolls."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Panel { width: 84; max-width: 96%; height: 90%; padding: 0 1;
      border: round $accent; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", "close")
    ]

    def __init__(self, where: str, read_only: bool) -> None:
        super().__init__()
        self.where, self.read_only = where, read_only

    def compose(self) -> ComposeResult:
        """One scrolling panel."""
        yield Panel(self._draw, f"Help: {TITLES.get(self.where, '')} (esc closes)", id="help")

    def _draw(self, width: int, height: int) -> list[Line]:
        return help_lines(self.where, width, self.read_only)


def help_lines(where: str, width: int, read_only: bool = False) -> list[Line]:
    """Keys and what they do, then what the letters and marks mean."""
    lines: list[Line] = []
    group = ""
    for action in actions_for(where):
        title = TITLES[APP if APP in action.where else where]
        if title != group:
            lines += [[], [(title, "strong")]] if lines else [[(title, "strong")]]
            group = title
        said = action.help
        if action.changes and read_only:
            said += " (read-only: not now)"
        key = "/".join(_key(k) for k in action.key.split(",")) if "," in action.key else action.keys
        first, *rest = wrap(said, width - 14)
        lines.append([(fit(key, 13) + " ", "s1"), (first, "text")])
        lines += [[(" " * 14, ""), (more, "text")] for more in rest]
    lines += [[], [("Status", "strong")]]
    letters: Line = []
    for status, (letter, style) in STATUS.items():
        letters += [(f"{letter} ", style), (f"{status}  ", "text")]
    lines.append(letters)
    for text in wrap("stale: its process is gone. Held-out correlations are optimistic; the truth "
                     "is measured with reference: full. A mark at the top of a curve: the value "
                     "there is not finite.", width):  # fmt: skip
        lines.append([(text, "dim")])
    return lines


def _key(key: str) -> str:
    return {"question_mark": "?", "slash": "/", "escape": "esc"}.get(key, key)
