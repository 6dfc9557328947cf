"""Progress of one long job on stderr: how far, how fast, how long still."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from prunectl import words
from prunectl.cli import output

_LINE_SECONDS = 10.0
_REDRAW_SECONDS = 0.25


class Pace:
    """``with Pace("pictures") as pace: ask(job, pace)``: on a terminal one line that is redrawn,
    elsewhere a line every ten seconds, and nothing for what is done before the first."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._live = output.live_terminal()
        self._first: tuple[float, int] | None = None
        self._said = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Pace:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            output.narrator().print("\r\x1b[K", end="", markup=False, highlight=False)

    def __call__(self, line: Mapping[str, Any]) -> None:
        """A progress line of a job: {done, total}."""
        done, total, now = line.get("done"), line.get("total"), time.monotonic()
        if done is None or total is None:
            return
        if self._first is None:
            self._first = (now, done)
        if now - self._said < (_REDRAW_SECONDS if self._live else _LINE_SECONDS):
            return
        self._said = now
        text = progress(self._noun, done, total, now - self._first[0], done - self._first[1])
        if self._live:
            self._drawn = True
            output.narrator().file.write(f"\r\x1b[K{text}")
            output.narrator().file.flush()
        else:
            output.say(text)


def progress(noun: str, done: int, total: int, seconds: float, since: int) -> str:
    """``1,200 of 20,000 pictures, 410 a second, about 46 s left``; ``since`` of them were done in
    these seconds, the others were found done."""
    parts = [f"{words.count(done)} of {words.count(total)} {noun}"]
    parts += [said] if (said := words.pace(done, total, seconds, since)) else []
    return ", ".join(parts)
