"""The one owner of stdout, stderr and exit codes.

stdout is data: results, lists, JSON. stderr is narration: progress, warnings, errors. A user error
is ``error: what`` and indented lines saying what to do, never a traceback.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

OK = 0
FAILED = 1
USAGE = 2
CELLS_FAILED = 3
MACHINE = 4
INTERRUPTED = 130
TERMINATED = 143

_WIDE = 120


def prepare_streams() -> None:
    """A terminal that cannot show a character gets a question mark, not an exception."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def say(text: str) -> None:
    """Narration on stderr."""
    print(text, file=sys.stderr, flush=True)


def data(text: str) -> None:
    """Data on stdout."""
    print(text, flush=True)


def data_json(value: Any) -> None:
    """One JSON document on stdout; NaN is refused (undefined is null)."""
    print(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False), flush=True)


def show(*renderables: RenderableType) -> None:
    """Rich tables on stdout, never squeezed to 80 columns where nobody looks."""
    from prunectl.cli.results import Unwrapped

    console = _console(stderr=False)
    for renderable in renderables:
        console.print(renderable, soft_wrap=isinstance(renderable, Unwrapped), markup=False)


def narrator() -> Console:
    """The console of stderr."""
    return _console(stderr=True)


def live_terminal() -> bool:
    """Whether bars make sense: both streams are terminals that can move the cursor."""
    moving = os.environ.get("TERM", "") not in ("", "dumb")
    return moving and sys.stdout.isatty() and sys.stderr.isatty()


def fail(what: str, todo: str = "") -> None:
    """Say an error on stderr."""
    say(f"error: {what}")
    for line in todo.splitlines():
        say(f"  {line}")


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _WIDE
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)
