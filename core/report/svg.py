"""What all charts share: the frame with its axes, marks that differ in form, the legend.

A series is told from the others by colour, dash and mark, so that colour alone never carries the
meaning; colours are CSS variables that follow the reader's light or dark scheme.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.report.html import text
from core.report.scale import Scale, span, ticks

WIDTH, STYLES = 640, 8
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 42
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 2 1 2", "1 2", "14 3 3 3")
_MARKS = (
    '<circle cx="0" cy="0" r="4"/>',
    '<rect x="-3.6" y="-3.6" width="7.2" height="7.2"/>',
    '<path d="M0-4.8 4.5 3.4-4.5 3.4Z"/>',
    '<path d="M0-5 5 0 0 5-5 0Z"/>',
    '<path class="open" d="M-4-4 4 4M-4 4 4-4"/>',
    '<path class="open" d="M-5 0H5M0-5V5"/>',
    '<path d="M0 4.8 4.5-3.4-4.5-3.4Z"/>',
    '<circle class="open" cx="0" cy="0" r="4"/>',
)


@dataclass(frozen=True)
class Axis:
    """A named axis. ``show`` writes a tick; ``low``, ``high`` fix an end."""

    label: str
    show: Callable[[float], str] = "{:g}".format
    low: float | None = None
    high: float | None = None

    def ends(self, values: Sequence[float | None]) -> tuple[float, float]:
        """The axis's ends for these values."""
        low, high = span(values)
        low, high = (
            low if self.low is None else self.low,
            high if self.high is None else self.high,
        )
        return (low, high) if high > low else (low, low + 1.0)


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def dash(style: int) -> str:
    """The dash attribute of a series' line."""
    pattern = _DASHES[style % STYLES]
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def mark(style: int, x: float, y: float, title: str = "") -> str:
    """The mark of a series at a place; ``title`` is shown when it is pointed at."""
    said = f"<title>{text(title)}</title>" if title else ""
    place = f'transform="translate({number(x)} {number(y)})"'
    return f'<g class="mark s{style % STYLES}" {place}>{said}{_MARKS[style % STYLES]}</g>'


def frame(x: Axis, y: Axis, across: Scale, up: Scale) -> str:
    """Grid lines, tick labels and axis titles around the plot area."""
    parts = [_across(tick, across, up, x.show(tick)) for tick in ticks(across.low, across.high, 7)]
    parts += [_up(tick, across, up, y.show(tick)) for tick in ticks(up.low, up.high)]
    middle, height = (across.start + across.end) / 2, up.start
    parts.append(
        f'<text x="{number(middle)}" y="{number(height + 34)}" text-anchor="middle">'
        f"{text(x.label)}</text>"
    )
    centre = (up.start + up.end) / 2
    parts.append(
        f'<text transform="translate(13 {number(centre)}) rotate(-90)" text-anchor="middle">'
        f"{text(y.label)}</text>"
    )
    return "".join(parts)


def _across(tick: float, across: Scale, up: Scale, label: str) -> str:
    at = number(across(tick))
    return (
        f'<path class="grid" d="M{at} {number(up.end)}V{number(up.start)}"/>'
        f'<text class="tick" x="{at}" y="{number(up.start + 16)}" text-anchor="middle">'
        f"{text(label)}</text>"
    )


def _up(tick: float, across: Scale, up: Scale, label: str) -> str:
    at = up(tick)
    return (
        f'<path class="grid" d="M{number(across.start)} {number(at)}H{number(across.end)}"/>'
        f'<text class="tick" x="{number(across.start - 7)}" y="{number(at + 4)}" '
        f'text-anchor="end">{text(label)}</text>'
    )


def figure(title: str, drawing: str, height: float, keys: Sequence[str], note: str = "") -> str:
    """A chart with its title above, its legend and a note below."""
    legend = f'<ul class="legend">{"".join(keys)}</ul>' if keys else ""
    said = f'<p class="note">{text(note)}</p>' if note else ""
    return (
        f"<figure><figcaption>{text(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {number(height)}" role="img" aria-label="{text(title)}">'
        f"{drawing}</svg>{legend}{said}</figure>"
    )


def key(style: int, name: str, *, line: bool = True) -> str:
    """A legend entry: the series' line and mark, and its name."""
    drawn = f'<path class="line s{style % STYLES}"{dash(style)} d="M0 7H34"/>' if line else ""
    return (
        f'<li><svg class="key" viewBox="0 0 34 14" aria-hidden="true">{drawn}{mark(style, 17, 7)}'
        f"</svg> {text(name)}</li>"
    )
