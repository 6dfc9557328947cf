"""Pictures as plain data: lines of (text, style) pieces.

A style is a word (``dim``, ``good``, ``s1`` ...) that the theme turns into a colour, so that what
is drawn does not know how it will look, and tests compare text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
Line = list[Span]

_LONGEST = 400
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class Look:
    """What the terminal can show."""

    ascii: bool = False

    def mark(self, fancy: str, plain: str) -> str:
        """One of two ways to say it."""
        return plain if self.ascii else fancy


def clean(text: object) -> str:
    """Text from a file or a name: no control characters, no line ends, not endless."""
    shown = (c if c.isprintable() else "?" for c in str(text)[:_LONGEST])
    return "".join(shown)


def width_of(line: Sequence[Span]) -> int:
    """Cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def fit(text: str, width: int, *, ellipsis: str = "…", right: bool = False) -> str:
    """Exactly ``width`` cells: cut with an ellipsis or padded."""
    if width <= 0:
        return ""
    if cell_len(text) > width:
        cut = len(ellipsis)
        return set_cell_size(text, width - cut) + ellipsis if width > cut else text[:width]
    pad = " " * (width - cell_len(text))
    return pad + text if right else text + pad


def fit_line(line: Sequence[Span], width: int) -> Line:
    """Exactly ``width`` cells."""
    done: Line = []
    left = width
    for text, style in line:
        if left <= 0:
            break
        if cell_len(text) > left:
            text = set_cell_size(text, left)
        done.append((text, style))
        left -= cell_len(text)
    if left > 0:
        done.append((" " * left, ""))
    return done


def plain(lines: Iterable[Sequence[Span]]) -> str:
    """The characters alone."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def bar(share: float, width: int, look: Look, style: str = "bar") -> Line:
    """A horizontal bar, ``share`` of ``width`` cells full, the rest a faint track."""
    share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    if look.ascii:
        full = round(share * width)
        return [("#" * full, style), ("." * (width - full), "faint")]
    full = int(share * width)
    part = _EIGHTHS[int((share * width - full) * 8)] if full < width else ""
    cells = "█" * full + part.strip()
    return [(cells, style), ("─" * (width - len(cells)), "faint")]


def thin_bar(share: float, width: int, look: Look, style: str) -> Line:
    """A bar of one thin line, for places where a thick one would shout."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return [(look.mark("━", "#") * full, style), (look.mark("─", ".") * (width - full), "faint")]


def columns(rows: Sequence[Sequence[Span]], right: Sequence[int] = (), gap: int = 2) -> list[Line]:
    """Rows of cells under each other; the columns in ``right`` are aligned at their right."""
    count = max((len(r) for r in rows), default=0)
    wide = [max((cell_len(r[c][0]) for r in rows if c < len(r)), default=0) for c in range(count)]
    done = []
    for row in rows:
        line: Line = []
        for index, (text, style) in enumerate(row):
            line.append((fit(text, wide[index], right=index in right), style))
            line.append((" " * gap, ""))
        done.append(line[:-1])
    return done


def wrap(text: str, width: int) -> list[str]:
    """A text in lines of at most ``width`` cells, broken at spaces."""
    import textwrap

    return textwrap.wrap(text, max(width, 8)) or [""]


def centred(text: str, width: int, height: int, style: str = "dim") -> list[Line]:
    """One message in the middle of nothing."""
    said = wrap(text, min(width - 2, 60))[: max(height, 1)]
    above = max((height - len(said)) // 2, 0)
    lines: list[Line] = [[] for _ in range(above)]
    lines += [[(fit(" " * max((width - cell_len(s)) // 2, 0) + s, width), style)] for s in said]
    return lines
