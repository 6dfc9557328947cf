"""What happened, one line an event, the newest at the bottom."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from core import events as ev
from core.journal import Record
from prunectl.narrate import sentence
from prunectl.tui.drawing import Line, Look, clean, wrap

KEPT = 2000
_STYLES = {"error": "bad", "warning": "warn"}


class Log:
    """The last lines of a journal, made when their records come."""

    def __init__(self) -> None:
        self.lines: deque[tuple[str, str, str]] = deque(maxlen=KEPT)

    def add(self, record: Record) -> None:
        """Take a record in; those that say nothing alone, and progress, leave no line."""
        event = record.event
        if isinstance(event, ev.Progress) or not (said := sentence(event)):
            return
        style = "text"
        if isinstance(event, ev.TaskFailed):
            style = "bad"
        elif isinstance(event, ev.Message):
            style = _STYLES.get(event.level, "text")
        time = f"{datetime.fromtimestamp(record.ts):%H:%M:%S}"
        self.lines.append((time, clean(said), style))

    def draw(self, width: int, height: int, look: Look) -> list[Line]:
        """The last lines that may be looked at, wrapped to the width."""
        drawn: list[Line] = []
        for time, said, style in self.lines:
            first, *rest = wrap(said, width - 9)
            drawn.append([(f"{time} ", "dim"), (first, style)])
            drawn += [[(" " * 9, ""), (more, style)] for more in rest]
        return drawn or [[("nothing has happened yet", "dim")]]
