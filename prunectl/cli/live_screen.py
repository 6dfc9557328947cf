"""What shows a run or a sweep while it works: a Rich picture drawn in place, or plain lines.

They show a :class:`prunectl.view.View` and decide nothing.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from core.journal import Record
from prunectl import words
from prunectl.narrate import sentence
from prunectl.view import View

_FRAMES_PER_SECOND = 4


class Screen(Protocol):
    """What follows a run and shows it."""

    def __enter__(self) -> Screen: ...

    def __exit__(self, *_: object) -> None: ...

    def update(self, view: View, records: Sequence[Record], behind: str | None = None) -> None:
        """Show the view after these new records; ``behind``: the run it waits for, if any."""

    def note(self, text: str) -> None:
        """Say a line that is not an event."""


class LivePicture(ABC):
    """A picture redrawn at most four times a second and only in place; what is worth more than a
    glance is said above it."""

    def __init__(self, console: Console, name: str) -> None:
        self.name = name
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._drawn = 0.0

    def __enter__(self) -> LivePicture:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def update(self, view: View, records: Sequence[Record], behind: str | None = None) -> None:
        for record in records:
            if text := self.said(record):
                self._live.console.print(text)
        over = view.status not in ("queued", "running")
        now = time.monotonic()
        if over or now - self._drawn >= 1 / _FRAMES_PER_SECOND:
            self._drawn = now
            self._live.update(self.drawn(view, time.time(), behind), refresh=True)

    def note(self, text: str) -> None:
        self._live.console.print(Text(text, style="yellow"))

    @abstractmethod
    def said(self, record: Record) -> Text | None:
        """The line above the picture that a record is worth."""

    @abstractmethod
    def drawn(self, view: View, now: float, behind: str | None) -> RenderableType:
        """The picture of the view at a time, in seconds since the epoch."""


class PlainLines(ABC):
    """One line an event on a plain stream."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, view: View, records: Sequence[Record], behind: str | None = None) -> None:
        for record in records:
            if self.wanted(record) and (text := timed(record)):
                self._console.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False)

    @abstractmethod
    def wanted(self, record: Record) -> bool:
        """Whether a record gets a line, where it says something."""


def timed(record: Record) -> str:
    """A record as one line that begins with the time of day; empty where it says nothing."""
    text = sentence(record.event)
    return f"{datetime.fromtimestamp(record.ts):%H:%M:%S} {text}" if text else ""


def times(view: View, now: float) -> list[str]:
    """How long it has worked, and about how long still, as far as they are known."""
    said = []
    if view.work_began is not None:
        said.append(f"{words.elapsed(now - view.work_began)} so far")
    left = view.seconds_left(now)
    if left is not None:
        said.append(f"{words.about(left)} left")
    return said


def spent(view: View, now: float) -> str:
    """How long it had worked when it ended."""
    last = view.last or now
    return words.elapsed(last - (view.work_began or last))
