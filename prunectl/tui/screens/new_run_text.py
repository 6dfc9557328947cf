"""The form's words: problems, help, the command line, marks of sections. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable

from rich.text import Text

from prunectl.tui.drawing import Line, clean, wrap
from prunectl.tui.fields import Field
from prunectl.tui.form import Checked, Problem


def problem_lines(problems: Iterable[Problem], width: int) -> list[Line]:
    """Every problem, one after the other."""
    return [[(text, "bad")] for p in problems for text in wrap(clean(p.text), width)]


def help_lines(field: Field, width: int) -> list[Line]:
    """What a field is about, and what it takes."""
    takes = f" ({field.takes})" if field.takes else ""
    return [[(text, "dim")] for text in wrap(clean(field.help + takes), width)]


def command_lines(command: str, width: int) -> list[Line]:
    """The command line that does the same."""
    said = "$ " + clean_command(command)
    lines = textwrap.wrap(said, max(width, 20), break_on_hyphens=False, subsequent_indent="  ")
    return [[(text, "strong")] for text in lines]


def marked(section: str, checked: Checked, changed: Collection[str]) -> Text:
    """A section's name with a mark: a problem, or paths ``changed`` in it."""
    if checked.faulty(section):
        return Text(f"! {section}", "bold")
    own = any(field.path in changed for field in checked.of_section(section))
    return Text(f"* {section}", "bold") if own else Text(f"  {section}", "")


def clean_command(text: str) -> str:
    """The command line without what would harm the terminal; the copied one is exact."""
    return clean(text) if len(text) < 400 else "".join(clean(c) for c in text)
