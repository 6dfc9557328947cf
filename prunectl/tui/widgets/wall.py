"""Two sides of pictures with a line below each, drawn line by line."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.app import RenderResult
from textual.strip import Strip
from textual.widget import Widget

from prunectl.tui import themes
from prunectl.tui.drawing import Look, clean, fit
from prunectl.tui.gallery.page import Page, Side, side_title
from prunectl.tui.widgets.panel import themes_name
from prunectl.tui.widgets.picture import Cells, Mode, fit_size, picture_cells

HEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 24)
"""Lines a picture may take."""
_CAPTION = 8
_LISTED = 18


class Wall(Widget):
    """Shows a page; knows how many samples fit."""

    DEFAULT_CSS = "Wall { height: 1fr; padding: 0 1; overflow: hidden; }"

    def __init__(self) -> None:
        super().__init__()
        self.page: Page | None = None
        self.zoom: int | None = None
        """Index into HEIGHTS, None: what suits the size."""
        self.sides = (8, 8)
        """Height and width of the pictures, in pixels."""
        self._strips: list[list[Segment]] = []
        self._built_for: tuple[object, ...] = ()

    def show(self, page: Page) -> None:
        """Show another page."""
        self.page = page
        for side in page.sides:
            if side.images is not None and side.images.ndim == 4:
                self.sides = (side.images.shape[1], side.images.shape[2])
        self._built_for = ()
        self.refresh()

    def capacity(self) -> int:
        """Samples that fit on a side."""
        columns, rows, _, _ = self.grid(pictures=True)
        return columns * rows

    def grid(self, *, pictures: bool) -> tuple[int, int, int, int]:
        """Columns and rows on a side; cells of width and lines of a picture, without caption."""
        width, height = self._half(), max(self.size.height - 1, 1)
        if not pictures:
            return max((width + 1) // (_LISTED + 1), 1), height, _LISTED, 0
        lines = HEIGHTS[self.zoom] if self.zoom is not None else self._suiting(width, height)
        lines = min(lines, max(height - 1, 1))
        wide = min(fit_size(self.sides, lines), width)
        column = max(wide, _CAPTION)
        return max((width + 1) // (column + 1), 1), max(height // (lines + 1), 1), wide, lines

    def zoom_by(self, by: int) -> None:
        """Larger or smaller pictures; 0 as it suits."""
        lines = self.grid(pictures=True)[3]
        now = max(i for i, h in enumerate(HEIGHTS) if h <= max(lines, HEIGHTS[0]))
        self.zoom = min(max(now + by, 0), len(HEIGHTS) - 1) if by else None

    def _suiting(self, width: int, height: int) -> int:
        """The largest pictures of which some stand side by side, at most twice their own size."""
        columns = 2 if width < 30 else 3 if width < 60 else 4
        rows = 1 if height < 12 else 2 if height < 24 else 3
        largest = max(self.sides[0], 4)
        for lines in reversed(HEIGHTS):
            column = max(fit_size(self.sides, lines), _CAPTION)
            if lines > largest or (column + 1) * columns - 1 > width:
                continue
            if (lines + 1) * rows <= height:
                return lines
        return HEIGHTS[0]

    def _half(self) -> int:
        return max((self.size.width - self._gap()) // 2, 1)

    def _gap(self) -> int:
        return 1 if self.size.width < 60 else 3

    def render(self) -> RenderResult:
        """Not used: lines are rendered one by one."""
        return ""

    def render_line(self, y: int) -> Strip:
        """One line of both sides."""
        theme = themes_name(self)
        wanted = (self.size, theme, self.zoom, self.page)
        if self._built_for != wanted:
            self._built_for = wanted
            self._strips = self._build(theme)
        segments = self._strips[y] if y < len(self._strips) else []
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def text(self) -> str:
        """What is shown, without colours."""
        lines = self._build(themes_name(self))
        return "\n".join("".join(s.text for s in line).rstrip() for line in lines)

    def _build(self, theme: str) -> list[list[Segment]]:
        if self.page is None or not self.page.sides:
            return []
        half = self._half()
        built = [self._side(side, half, theme) for side in self.page.sides]
        bar = self._look.mark("│", "|").center(self._gap())
        rule = Segment(bar, themes.style(theme, "faint"))
        return [
            [*_filled(left, half), rule, *_filled(right, half)]
            for left, right in zip(*built, strict=True)
        ]

    @property
    def _look(self) -> Look:
        look = getattr(self.app, "look", None)
        return look if isinstance(look, Look) else Look()

    def _mode(self, theme: str) -> Mode:
        if self._look.ascii:
            return "ascii"
        return "shade" if theme == themes.MONO else "colour"

    def _side(self, side: Side, width: int, theme: str) -> list[list[Segment]]:
        columns, rows, wide, lines = self.grid(pictures=side.images is not None)
        title = fit(side_title(side, width), width, ellipsis=self._look.mark("…", "~"))
        built = [[Segment(title, themes.style(theme, "strong"))]]
        mode, column = self._mode(theme), max(wide, _CAPTION)
        for start in range(0, rows * columns, columns):
            places = range(start, min(start + columns, len(side.ids)))
            pictures = [
                picture_cells(side.images[place], wide, lines, mode)
                for place in places
                if side.images is not None
            ]
            for line in range(lines):
                built.append(_joined([picture[line] for picture in pictures], wide, column))
            dim = themes.style(theme, "dim")
            captions: list[Cells] = [
                [(self._caption(side, place, lines, column), dim)] for place in places
            ]
            built.append(_joined(captions, column, column))
        height = max(self.size.height, 1)
        return (built + [[] for _ in range(height)])[:height]

    def _caption(self, side: Side, place: int, lines: int, width: int) -> str:
        """Class and number; where there is little room it is the class that is cut."""
        name, number = side.captions[place]
        name = clean(name) if lines else f"#{side.ids[place]} {clean(name)}"
        room = width - len(number) - 1
        name = set_cell_size(name, max(room, 0)) if cell_len(name) > room else name
        return fit(f"{name} {number}", width, ellipsis=self._look.mark("…", "~"))


def _joined(cells: list[Cells], wide: int, column: int) -> list[Segment]:
    line: list[Segment] = []
    for piece in cells:
        line += [Segment(text, style) for text, style in piece]
        line.append(Segment(" " * (column - wide + 1)))
    return line


def _filled(line: list[Segment], width: int) -> list[Segment]:
    return Segment.adjust_line_length(line, width)
