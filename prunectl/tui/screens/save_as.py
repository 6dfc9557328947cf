"""A small window that saves the form as a preset."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from core.errors import PrunectlError
from prunectl.tui.drawing import clean
from prunectl.tui.form import Form, save_preset


class SaveAs(ModalScreen[Path | None]):
    """Asks for the name of a preset, and once more before one is replaced."""

    DEFAULT_CSS = """
    SaveAs { align: center middle; }
    SaveAs > Vertical { width: 60; max-width: 90%; height: auto; padding: 1 2;
      border: round $accent; background: $surface; }
    SaveAs Input { height: 1; border: none; background: $panel; margin: 1 0; padding: 0 1; }
    SaveAs Static { height: auto; }
    SaveAs #trouble { color: $warning; }
    """
    BINDINGS: ClassVar = [("escape", "leave")]

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self._replace = ""

    def compose(self) -> ComposeResult:
        """A line to write in."""
        with Vertical():
            yield Static(Text("Save as a preset of yours: its name, then enter"))
            yield Input(placeholder="such as mine", compact=True)
            yield Static(id="trouble")

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        trouble = self.query_one("#trouble", Static)
        try:
            self.dismiss(save_preset(self.form, name, replace=name == self._replace))
        except FileExistsError as error:
            self._replace = name
            trouble.update(Text(f"{error}; enter once more replaces it"))
        except (PrunectlError, OSError) as error:
            trouble.update(Text(clean(error)))

    def action_leave(self) -> None:
        """Close and save nothing."""
        self.dismiss(None)
