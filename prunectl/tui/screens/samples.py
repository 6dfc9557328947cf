"""Look at the samples: the ends of a score, where predictions err, what is kept and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message

from core.errors import PrunectlError
from core.runs import Run
from prunectl import words
from prunectl.tui.actions import SAMPLES, bindings
from prunectl.tui.drawing import Line, clean, wrap
from prunectl.tui.gallery.collection import Collection
from prunectl.tui.gallery.page import VIEWS, Page, Wish
from prunectl.tui.screens.base import ConsoleScreen
from prunectl.tui.widgets.panel import Panel
from prunectl.tui.widgets.wall import Wall

_LOOK_AGAIN = 3.0
T = TypeVar("T")


class SamplesScreen(ConsoleScreen):
    """The pictures of a run."""

    where = SAMPLES
    BINDINGS: ClassVar = bindings(SAMPLES)
    DEFAULT_CSS = """
    SamplesScreen #head { height: 3; padding: 0 1; }
    SamplesScreen.-tight #head { height: 2; }
    SamplesScreen.-tiny > * { display: none; }
    SamplesScreen.-tiny > .enlarge { display: block; }
    """

    class Shown(Message):
        """A page has been read; ``number`` says for which wish."""

        def __init__(self, number: int, page: Page, class_count: int) -> None:
            super().__init__()
            self.number, self.page, self.class_count = number, page, class_count

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.wish = Wish()
        self.page: Page | None = None
        self.class_count = 0
        self._collection: Collection | None = None
        self._number = 0
        self._known: tuple[str, ...] = ()

    def body(self) -> ComposeResult:
        """What is looked at, and the pictures."""
        head = Panel(self._head)
        head.id, head.can_focus = "head", False
        yield head
        yield Wall()

    def on_mount(self) -> None:
        """Look for scores as long as the run may still write some."""
        super().on_mount()
        self.set_interval(_LOOK_AGAIN, self._look_again)

    def layout_changed(self) -> None:
        """Another size holds another number of pictures."""
        if self.is_mounted:
            self.call_after_refresh(self._want)

    @property
    def wall(self) -> Wall:
        """The pictures."""
        return self.query_one(Wall)

    def _want(self, **changes: Any) -> None:
        """Read the page that is wanted now; a later wish overtakes it."""
        self.wish = replace(self.wish, **changes)
        self._number += 1
        self._read(self._number, self.wish, self.wall.capacity())

    @work(thread=True, exclusive=True, group="pages", exit_on_error=False)
    def _read(self, number: int, wish: Wish, capacity: int) -> None:
        if number != self._number:
            return
        page, count = _page(self._opened, wish, capacity)
        self.post_message(self.Shown(number, page, count))

    def _opened(self) -> Collection:
        if self._collection is None:
            self._collection = Collection(self.run)
        return self._collection

    @on(Shown)
    def _shown(self, event: Shown) -> None:
        if event.number != self._number:
            return
        before = self.wall.capacity()
        self.page, self.class_count = event.page, event.class_count
        self.wish = event.page.wish
        self.wall.show(event.page)
        self.query_one("#head", Panel).redraw()
        if self.wall.capacity() != before:  # the pictures' proportions were not known before
            self._want()

    def _look_again(self) -> None:
        """New files in the run folder are new things to show."""
        known = tuple(
            sorted(f.name for part in ("scores", "kept") for f in (self.run.path / part).glob("*"))
        )
        if known != self._known:
            first = not self._known
            self._known = known
            if not first or self.page is None or self.page.trouble:
                self._want()

    def _head(self, width: int, height: int) -> list[Line]:
        if self.page is None:
            return [[("reading", "dim")]]
        page, wish = self.page, self.page.wish
        chosen = "all classes" if wish.label is None else f"class {wish.label}"
        place = f"seed {wish.seed}  {chosen}  page {wish.page + 1} of {words.count(page.pages)}"
        if height < 3:
            below = page.trouble or f"{page.heading}; {page.note}"
            first: Line = [(f"{wish.view}  ", "strong"), (place, "text")]
            return [first, [(clean(below), "warn" if page.trouble else "dim")]]
        first = [(f"{view}  ", "strong" if view == wish.view else "dim") for view in VIEWS]
        first.append((f"  {place}", "text"))
        if page.trouble and not page.sides:
            return [first, *([(text, "warn")] for text in wrap(clean(page.trouble), width)[:2])]
        said, style = (page.trouble, "warn") if page.trouble else (page.note, "dim")
        return [first, [(clean(page.heading), "text")], [(clean(said), style)]]

    # What the user does

    def action_view(self, by: int) -> None:
        """Another comparison."""
        self._want(view=_next(VIEWS, self.wish.view, by), page=0)

    def action_pick_class(self, by: int) -> None:
        """One class, the next one, all."""
        self._want(label=_next([None, *range(self.class_count)], self.wish.label, by), page=0)

    def action_rate(self, by: int) -> None:
        """Another prune rate, in the view of kept and dropped."""
        rates = sorted({t.rate for t in self._trials() if t.method == self.wish.method})
        if rates:
            self._want(view="kept", rate=_next(rates, self.wish.rate, by), page=0)

    def action_method(self, by: int) -> None:
        """What another method kept."""
        methods = list(dict.fromkeys(t.method for t in self._trials()))
        if methods:
            self._want(view="kept", method=_next(methods, self.wish.method, by), page=0)

    def action_seed(self, by: int) -> None:
        """Another seed."""
        seeds = self._collection.seeds() if self._collection else []
        if seeds:
            self._want(seed=_next(seeds, self.wish.seed, by), page=0)

    def action_page(self, by: int) -> None:
        """More pictures; 0 is back to the first."""
        last = self.page.pages - 1 if self.page else 0
        self._want(page=min(max(self.wish.page + by, 0), last) if by else 0)

    def action_zoom(self, by: int) -> None:
        """Larger or smaller pictures."""
        self.wall.zoom_by(by)
        self._want(page=0)

    def action_copy_ids(self) -> None:
        """The ids in sight, both sides, into the clipboard."""
        if self.page and self.page.sides:
            ids = [f"{side.title}: {', '.join(map(str, side.ids))}" for side in self.page.sides]
            self.app.copy_to_clipboard("\n".join(ids))
            self.app.notify("the ids in sight are copied", markup=False)

    def action_back(self) -> None:
        """Back to where one came from."""
        self.app.pop_screen()

    def _trials(self) -> list[Any]:
        trials = self._collection.trials() if self._collection else []
        return [t for t in trials if t.seed == self.wish.seed]


def _page(opened: Any, wish: Wish, capacity: int) -> tuple[Page, int]:
    try:
        collection: Collection = opened()
        return collection.page(wish, capacity), collection.classes()
    except (PrunectlError, OSError, ValueError) as error:
        return Page(wish, trouble=str(error)), 0


def _next(choices: Sequence[T], now: T, by: int) -> T:
    at = choices.index(now) if now in choices else -by
    return choices[(at + by) % len(choices)]
