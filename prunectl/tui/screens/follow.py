"""A screen that follows a run or a sweep: reads its folder in a thread, takes in what is new."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from core.journal import Record
from core.runs import Run, State
from prunectl.tui.panels.journal import Log
from prunectl.tui.reading import Pace, RunNews, RunReader
from prunectl.tui.screens.base import ConsoleScreen
from prunectl.tui.widgets.panel import Panel
from prunectl.view import View


class Followed(Protocol):
    """What is known so far of that which is followed."""

    state: State
    trouble: str
    read_all: bool

    @property
    def view(self) -> View:
        """What its journal amounts to."""


class FollowScreen(ConsoleScreen):
    """Panels that are drawn again when something they show is new."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = Log()
        self.redraws = 0
        self.pace: Pace | None = None

    def follow(self, run: Run, without: tuple[str, ...] = ()) -> None:
        """Start reading a folder, events named in ``without`` left out; :class:`RunNews` come."""
        self.pace = Pace(self.console.seconds)
        reader = RunReader(run, self.pace, self.post_message, without=without)
        threading.Thread(target=reader.follow, name=run.id, daemon=True).start()

    def on_unmount(self) -> None:
        """Stop reading; what is followed goes on."""
        if self.pace:
            self.pace.stop()

    def take(self, news: RunNews, known: Followed, apply: Callable[[View, Record], None]) -> None:
        """Bring what is known up to the news that runs and sweeps have in common."""
        for record in news.records:
            apply(known.view, record)
            self.journal.add(record)
        known.state = news.state or known.state
        known.trouble = news.trouble or ("" if news.records else known.trouble)
        known.read_all = known.read_all or news.read_all

    def redraw(self, names: frozenset[str] | None = None) -> None:
        """Draw these panels, else all; what is out of sight draws when it comes into sight."""
        self.redraws += 1
        for panel in self.query(Panel):
            if names is None or panel.id in names:
                panel.redraw()
