"""Dots on a grid: two by four a cell, drawn as braille, or one a cell in plain ASCII."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunectl.tui.drawing import Line

Ints = NDArray[np.int64]
# The bit of a dot by (row, column) within its cell.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_FAR = 4  # a line may leave the picture by so many pictures before it is cut


class Raster:
    """A picture of ``width`` by ``height`` cells. Dot (0, 0) is at the lower left."""

    def __init__(self, width: int, height: int, *, plain: bool = False) -> None:
        self.width, self.height, self.plain = width, height, plain
        self.columns, self.rows = (width, height) if plain else (2 * width, 4 * height)
        self._bits = np.zeros((height, width), dtype=np.uint8)
        self._chars = np.full((height, width), "", dtype="<U1")
        self._styles = np.full((height, width), "", dtype="<U8")

    def dots(self, x: Ints, y: Ints, style: str, glyph: str = "*") -> None:
        """Set dots; those outside are left out."""
        inside = (x >= 0) & (x < self.columns) & (y >= 0) & (y < self.rows)
        x, y = x[inside], self.rows - 1 - y[inside]
        if self.plain:
            self._chars[y, x] = glyph
            self._styles[y, x] = style
            return
        row, column = y // 4, x // 2
        np.bitwise_or.at(self._bits, (row, column), _BITS[y % 4, x % 2])
        self._styles[row, column] = style

    def line(
        self, x: NDArray[np.float64], y: NDArray[np.float64], style: str, dash: str = "1",
        glyph: str = "*",
    ) -> None:  # fmt: skip
        """Join points ``[n]`` given in dots; a y that is not finite interrupts the line."""
        finite = np.isfinite(x) & np.isfinite(y)
        px = np.where(finite, np.clip(np.nan_to_num(x), -self.columns, 2 * self.columns), 0)
        py = np.nan_to_num(y, posinf=0, neginf=0)
        py = np.where(finite, np.clip(py, -_FAR * self.rows, _FAR * self.rows), 0)
        ix, iy = np.rint(px).astype(np.int64), np.rint(py).astype(np.int64)
        joined = finite[:-1] & finite[1:]
        alone = finite.copy()  # a point without neighbours is one dot
        alone[:-1] &= ~joined
        alone[1:] &= ~joined
        self.dots(ix[alone], iy[alone], style, glyph)
        start = np.flatnonzero(joined)
        if not len(start):
            return
        dx, dy = ix[start + 1] - ix[start], iy[start + 1] - iy[start]
        count = np.maximum(np.abs(dx), np.abs(dy)) + 1
        step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        share = step / np.repeat(np.maximum(count - 1, 1), count)
        lx = np.repeat(ix[start], count) + np.rint(share * np.repeat(dx, count)).astype(np.int64)
        ly = np.repeat(iy[start], count) + np.rint(share * np.repeat(dy, count)).astype(np.int64)
        if dash != "1" and not self.plain:
            pattern = np.array([c == "1" for c in dash])
            # by column on flat parts and by row on steep ones, so that thinning shows no pattern
            shown = pattern[np.maximum(np.abs(lx), np.abs(ly)) % len(pattern)]
            lx, ly = lx[shown], ly[shown]
        self.dots(lx, ly, style, glyph)

    def put(self, column: int, row: int, char: str, style: str) -> None:
        """Write a character over the cell ``column`` from the left, ``row`` from the top."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self._chars[row, column] = char
            self._styles[row, column] = style

    def empty(self, column: int, row: int) -> bool:
        """Whether nothing is in the cell."""
        return not self._bits[row, column] and not self._chars[row, column]

    def lines(self) -> list[Line]:
        """The picture, neighbours of one style joined."""
        codes = self._bits.astype(np.uint32) + 0x2800
        shown = codes.view("<U1") if codes.size else self._chars
        text = np.where(self._bits > 0, shown, " ")
        text = np.where(self._chars != "", self._chars, text)
        return [self._row(text[r], self._styles[r]) for r in range(self.height)]

    @staticmethod
    def _row(text: NDArray[np.str_], styles: NDArray[np.str_]) -> Line:
        if not len(text):
            return []
        cuts = np.flatnonzero(styles[1:] != styles[:-1]) + 1
        edges = [0, *cuts.tolist(), len(text)]
        return [
            ("".join(text[a:b]), str(styles[a])) for a, b in zip(edges, edges[1:], strict=False)
        ]
