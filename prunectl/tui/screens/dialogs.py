"""Small windows over a screen: a question, and a choice of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import SelectionList, Static

from prunectl.tui.drawing import clean

_CSS = """
{name} {{ align: center middle; }}
{name} > Vertical {{ width: auto; max-width: 90%; height: auto; max-height: 90%; padding: 1 2;
  border: round $accent; background: $surface; }}
{name} Static {{ width: auto; max-width: 100%; height: auto; }}
"""


class Ask(ModalScreen[bool]):
    """A question with yes and no; no is what happens by accident."""

    DEFAULT_CSS = _CSS.format(name="Ask")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,enter,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The question and the two keys."""
        with Vertical():
            yield Static(Text(clean(self.question)))
            yield Static(Text("\ny yes    n no"))

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class Choose(ModalScreen["tuple[str, ...] | None"]):
    """Some of many names, at most ``most``."""

    DEFAULT_CSS = (
        _CSS.format(name="Choose")
        + """
    Choose SelectionList { width: 60; max-width: 100%; height: auto; max-height: 20; }
    """
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take", priority=True),
        Binding("escape,q", "leave", "leave"),
    ]

    def __init__(self, names: Sequence[str], chosen: Sequence[str], most: int) -> None:
        super().__init__()
        self.names, self.chosen, self.most = names, chosen, most

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical():
            yield Static(Text(f"space chooses (at most {self.most}), enter takes, esc leaves"))
            yield SelectionList(
                *((Text(clean(name)), name, name in self.chosen) for name in self.names)
            )

    def action_take(self) -> None:
        """Close with what is chosen, in the order of the list."""
        selected = set(self.query_one(SelectionList).selected)
        self.dismiss(tuple(n for n in self.names if n in selected)[: self.most])

    def action_leave(self) -> None:
        """Close and change nothing."""
        self.dismiss(None)
