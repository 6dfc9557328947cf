"""The rows of the list of runs: which columns fit, what a cell says, filter and order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from prunectl import words
from prunectl.tui import themes
from prunectl.tui.drawing import Look, bar, clean, fit
from prunectl.tui.panels.stages import STATUS
from prunectl.tui.row import Row

Cell = Callable[[Row, str, bool], Text]
_BAR = 8


@dataclass(frozen=True)
class Column:
    """One column: what it says of a row, and by what it sorts."""

    name: str
    title: str
    width: int
    cell: Cell
    key: Callable[[Row], Any]


def _text(value: Callable[[Row], str], width: int, word: str = "text") -> Cell:
    def cell(row: Row, theme: str, plain: bool) -> Text:
        said = fit(clean(value(row)), width, ellipsis="~" if plain else "…")
        return Text(said, style=themes.style(theme, word), no_wrap=True)

    return cell


def _status(row: Row, theme: str, plain: bool) -> Text:
    letter, word = STATUS.get(row.status, ("?", "warn"))
    return Text(f"{letter} {row.status}", style=themes.style(theme, word))


def _letter(row: Row, theme: str, plain: bool) -> Text:
    letter, word = STATUS.get(row.status, ("?", "warn"))
    return Text(letter, style=themes.style(theme, word))


def _progress(row: Row, theme: str, plain: bool) -> Text:
    if row.share is None or row.share >= 1.0:
        said = "" if row.share is None else "100%"
        return Text(f"{said:>4}", style=themes.style(theme, "dim"))
    parts = [(f"{row.share:>4.0%} ", "text")]
    parts += bar(row.share, _BAR, Look(plain), "live" if row.live else "warn")
    return Text.assemble(*((said, themes.style(theme, word)) for said, word in parts))


def _saving(row: Row, theme: str, plain: bool) -> Text:
    if row.saving is None:
        return Text("")
    return Text(
        f"{row.saving:>+6.0%}", style=themes.style(theme, "good" if row.saving > 0 else "bad")
    )


_RUN = Column("run", "run", 22, _text(lambda r: r.run.id, 22, "strong"), lambda r: r.run.id)
_NARROW_RUN = Column("run", "run", 18, _text(lambda r: r.run.id, 18, "strong"), lambda r: r.run.id)
_WORD = Column("status", "status", 10, _status, lambda r: r.status)
_LETTER = Column("status", " ", 1, _letter, lambda r: r.status)
_STAGE = Column("stage", "stage", 11, _text(lambda r: r.stage, 11), lambda r: r.stage)
_DONE = Column("progress", "done", 5 + _BAR, _progress, lambda r: -(r.share or 0.0))
_DATA = Column("data", "data", 8, _text(lambda r: r.data, 8), lambda r: r.data)
_METHOD = Column("method", "method", 7, _text(lambda r: r.method, 7), lambda r: r.method)
_BEST = Column("best", "best point", 14, _text(lambda r: r.best, 14), lambda r: r.best)
_SAVED = Column("saving", "saved", 6, _saving, lambda r: -(r.saving if r.saving else -9.0))
_STARTED = Column(
    "started", "started", 9,
    lambda r, t, p: Text(words.ago(time.time() - r.created), style=themes.style(t, "dim")),
    lambda r: -r.created,
)  # fmt: skip


def columns_for(width: int) -> tuple[Column, ...]:
    """The columns that so many cells carry."""
    if width < 80:
        return (_LETTER, _NARROW_RUN, _DONE)
    if width < 120:
        return (_LETTER, _RUN, _DONE, _DATA, _BEST, _SAVED)
    return (_WORD, _RUN, _STAGE, _DONE, _DATA, _METHOD, _BEST, _SAVED, _STARTED)


def ordered(rows: Iterable[Row], by: str, turned: bool) -> list[Row]:
    """Live ones first, then by the column; newest first among equals."""
    every = (_RUN, _WORD, _STAGE, _DONE, _DATA, _METHOD, _BEST, _SAVED, _STARTED)
    key = next((c.key for c in every if c.name == by), _STARTED.key)
    found = sorted(rows, key=lambda r: -r.created)
    found.sort(key=key, reverse=turned)
    found.sort(key=lambda r: not r.live)
    return found


def fits(row: Row, text: str) -> bool:
    """Whether each word of a filter is found in id, status, dataset, method or ``key=value``; one
    that begins with a minus must not be."""
    about = f"{row.run.id} {row.status} {row.reason} {row.stage} {row.params}".lower()
    for word in text.lower().split():
        wanted = not word.startswith("-")
        word = word.lstrip("-")
        if word and (word in about) != wanted:
            return False
    return True
