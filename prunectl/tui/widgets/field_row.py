"""One field of a form: its key, something to write or choose in, and help or what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, Select, Static, Switch

from prunectl.tui.drawing import clean
from prunectl.tui.fields import Field


class Choice(Select[str], inherit_bindings=False):
    """A select of one line; the arrow keys are left to the form."""

    BINDINGS: ClassVar = [Binding("enter,space", "show_overlay", "Show the choices", show=False)]

    def __init__(
        self, choices: Sequence[tuple[str, str]], value: str, *, name: str | None = None
    ) -> None:
        known = any(choice == value for _, choice in choices)
        super().__init__(
            [(Text(clean(shown), no_wrap=True), choice) for shown, choice in choices],
            value=value if known else Select.NULL,
            allow_blank=not known,
            prompt=clean(value),
            compact=True,
            id=name,
        )

    def on_mount(self) -> None:
        """The choices keep a frame: they lie over other fields."""
        self.query_one(OptionList).compact = False

    def show(self, value: str) -> None:
        """Choose without saying so."""
        if self.value != value and any(choice == value for _, choice in self._options):
            with self.prevent(Select.Changed):
                self.value = value


class FieldRow(Grid):
    """A field and its control."""

    DEFAULT_CSS = """
    FieldRow { grid-size: 2; grid-columns: 23 1fr; grid-rows: auto; height: auto;
      grid-gutter: 0 1; padding: 0 1; }
    FieldRow > .key { color: $foreground-muted; height: 1; }
    FieldRow.-changed > .key { color: $accent; text-style: bold; }
    FieldRow > .note { column-span: 2; padding-left: 2; color: $foreground-muted;
      height: auto; }
    FieldRow.-wrong > .key, FieldRow.-wrong > .note { color: $error; }
    FieldRow Input { height: 1; border: none; padding: 0 1 !important; background: $panel; }
    FieldRow Input:focus { background: $primary 30%; }
    FieldRow Switch { height: 1; border: none; padding: 0; background: $panel; }
    FieldRow Switch:focus { background: $primary 30%; }
    FieldRow Switch > .switch--slider { color: $foreground 50%; background: $foreground 15%; }
    FieldRow Switch.-on > .switch--slider { color: $success; }
    FieldRow Select { height: 1; }
    FieldRow Choice > SelectOverlay, FieldRow Choice > SelectOverlay:focus {
      border: round $accent; background: $surface; padding: 0; }
    FieldRow SelectCurrent { background: $panel; padding: 0 1 !important; border: none !important; }
    FieldRow Select:focus > SelectCurrent { background: $primary 30%; border: none !important; }
    """

    class Edited(Message):
        """The user wrote or chose something."""

        def __init__(self, path: str, text: str) -> None:
            super().__init__()
            self.path, self.text = path, text

    def __init__(self, field: Field, text: str) -> None:
        super().__init__()
        self.field = field
        self._text = text

    def compose(self) -> ComposeResult:
        """Key, control, note."""
        yield Static(
            Text(clean(self.field.label), no_wrap=True, overflow="ellipsis"), classes="key"
        )
        yield self._make_control()
        yield Static(self._help(), classes="note")

    @property
    def control(self) -> Widget:
        """What is written or chosen in."""
        return self.query_one("Input, Select, Switch")

    def show(self, text: str, problems: Sequence[str], *, changed: bool) -> None:
        """Bring it up to date; what is being typed is left alone."""
        control = self.control
        if isinstance(control, Choice):
            control.show(text)
        elif isinstance(control, Switch):
            with control.prevent(Switch.Changed):
                control.value = text == "true"
        elif isinstance(control, Input) and control.value != text and not control.has_focus:
            with control.prevent(Input.Changed):
                control.value = text
        self.set_class(bool(problems), "-wrong")
        self.set_class(changed, "-changed")
        said = Text("\n".join(map(self._without_key, problems))) if problems else self._help()
        self.query_one(".note", Static).update(said)

    def put(self, text: str) -> None:
        """Write into it, typed or not."""
        if isinstance(self.control, Input):
            with self.control.prevent(Input.Changed):
                self.control.value = text

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Switch.Changed)
    def _edited(self, event: Input.Changed | Select.Changed | Switch.Changed) -> None:
        event.stop()
        value = event.value
        if isinstance(event, Input.Changed) and event.input.value != value:
            return  # more was typed since
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str):
            self.post_message(self.Edited(self.field.path, value))

    def _make_control(self) -> Widget:
        if self.field.kind == "select":
            return Choice([(choice, choice) for choice in self.field.choices], self._text)
        if self.field.kind == "switch":
            return Switch(self._text == "true", animate=False)
        return Input(self._text, compact=True, select_on_focus=False)

    def _help(self) -> Text:
        help_text = Text(clean(self.field.help))
        if self.field.takes:
            help_text.append(f" ({clean(self.field.takes)})", "dim")
        return help_text

    def _without_key(self, problem: str) -> str:
        return clean(problem.removeprefix(self.field.path + ": "))
