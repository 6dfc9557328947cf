"""The one widget of the Run screen: a frame around lines that a function draws."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import RenderResult
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from prunectl.tui import themes
from prunectl.tui.drawing import Line, Look, clean, fit_line, width_of, wrap

Draw = Callable[[int, int], list[Line]]


class Panel(Widget, can_focus=True):
    """Lines from ``draw(width, height)``, drawn again only when told to or when the size changes.

    What ``draw`` raises is shown in the panel's own frame, so the rest of the screen lives. More
    lines than fit are scrolled with the arrow keys; ``bottom`` keeps the last ones in sight.
    """

    class Pointed(Message):
        """The mouse was pressed in a panel, at a share (0..1) of its width; ``column`` and ``line``
        count from what is drawn first."""

        def __init__(self, panel: Panel, share: float, column: int, line: int) -> None:
            super().__init__()
            self.panel, self.share = panel, share
            self.column, self.line = column, line

    def __init__(
        self,
        draw: Draw,
        title: str = "",
        *,
        id: str | None = None,  # noqa: A002  # Textual's word
        bottom: bool = False,
        classes: str = "",
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._draw = draw
        self._bottom = bottom
        self._lines: list[Line] | None = None
        self._drawn_for = (0, 0, "")
        self._strips: dict[int, Strip] = {}
        self._ground = Style()
        self._first = 0
        self.failure = ""
        if title:
            self.border_title = title

    def redraw(self) -> None:
        """What it shows may have changed: drawn at once where it is in sight, and only the lines
        that are others are sent to the terminal."""
        old, strips, drawn_for = self._lines, dict(self._strips), self._drawn_for
        self._lines = None
        if old is None or not self.is_on_screen:
            self.refresh()
            return
        new = self.lines()
        if len(new) != len(old) or drawn_for != self._drawn_for:
            self.refresh()
            return
        same = [a == b for a, b in zip(old, new, strict=True)]
        self._strips = {n: strip for n, strip in strips.items() if n >= len(new) or same[n]}
        first, (width, height, _) = self._offset(), self._drawn_for
        shown = range(first, min(first + height, len(new)))
        if rows := [Region(0, n - first, width, 1) for n in shown if not same[n]]:
            self.refresh(*rows)

    def lines(self) -> list[Line]:
        """What it shows now, all of it."""
        size, theme = self.size, themes_name(self)
        wanted = (size.width, size.height, theme)
        if self._lines is None or self._drawn_for != wanted:
            self._drawn_for = wanted
            self._strips.clear()
            self._lines = self._guarded(*wanted[:2])
        return self._lines

    def _guarded(self, width: int, height: int) -> list[Line]:
        try:
            drawn = self._draw(width, height)
        except Exception as error:  # whatever it is, the other panels must live
            self.failure = f"{type(error).__name__}: {error}"
            said = wrap(clean(self.failure), width)
            return [[("this panel failed", "bad")], *([(text, "text")] for text in said)]
        self.failure = ""
        return drawn

    def render(self) -> RenderResult:
        """Not used: lines are rendered one by one."""
        return ""

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is drawn is made sure of once, not once a line."""
        self.lines()
        self._ground = self.rich_style
        return super().render_lines(crop)

    def notify_style_update(self) -> None:
        """Colours may be others: strips are made again."""
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """One line as Textual wants it; only asked for while :meth:`render_lines` works."""
        lines, number = self._lines or [], self._offset() + y
        if number not in self._strips:
            self._strips[number] = self._strip(lines[number] if number < len(lines) else [])
        return self._strips[number]

    @property
    def _look(self) -> Look:
        look = getattr(self.app, "look", None)
        return look if isinstance(look, Look) else Look()

    def _offset(self) -> int:
        """The first line in sight."""
        most = max(len(self._lines or []) - self._drawn_for[1], 0)
        return max(most - self._first, 0) if self._bottom else min(self._first, most)

    def _strip(self, line: Line) -> Strip:
        width, _, theme = self._drawn_for
        if width_of(line) > width > 1:  # what is cut says so
            line = [*fit_line(line, width - 1), (self._look.mark("…", "~"), "dim")]
        segments = []
        for text, word in fit_line(line, width):
            style = self._ground + themes.style(theme, word)
            body = text.lstrip(" ")
            if body and body != text:  # apart, because pictures of the screen lose leading blanks
                segments.append(Segment(text[: -len(body)], style))
            segments.append(Segment(body or text, style))
        return Strip(segments, width)

    def move_by(self, by: int) -> bool:
        """Move what is shown by so many lines; whether there was anything to move."""
        most = max(len(self.lines()) - self.size.height, 0)
        before = self._first
        self._first = min(max(self._first + (-by if self._bottom else by), 0), most)
        self.refresh()
        return self._first != before

    def on_key(self, event: events.Key) -> None:
        """Arrow and page keys scroll."""
        page = max(self.size.height - 1, 1)
        by = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page}
        if event.key in by:
            event.stop()
            self.move_by(by[event.key])

    def on_mouse_scroll_down(self) -> None:
        """The wheel scrolls."""
        self.move_by(3)

    def on_mouse_scroll_up(self) -> None:
        """The wheel scrolls."""
        self.move_by(-3)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Tell where it was pressed."""
        if event.get_content_offset(self) is not None and self.size.width > 1:
            x, y = event.get_content_offset_capture(self)
            self.post_message(self.Pointed(self, x / (self.size.width - 1), x, self._offset() + y))


def themes_name(widget: Widget) -> str:
    """The name of the palette that the widget's application wears."""
    name = widget.app.theme.removeprefix("prunectl-")
    return name if name in themes.NAMES else themes.DEFAULT
