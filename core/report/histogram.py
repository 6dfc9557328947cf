"""A histogram of two groups: one as filled bars, the other as an outline over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.report import svg
from core.report.html import text
from core.report.scale import Scale

HEIGHT = 260


@dataclass(frozen=True)
class Group:
    """Shares of a group's samples by bin; they add up to at most 1."""

    name: str
    shares: Sequence[float]


def histogram(
    title: str, filled: Group, outlined: Group, edges: Sequence[float], x_label: str, note: str = ""
) -> str:
    """The chart as a ``<figure>``. ``edges``: one more than there are bins, rising."""
    highest = max([*filled.shares, *outlined.shares, 1e-9])
    across = Scale(edges[0], edges[-1], svg.LEFT, svg.WIDTH - svg.RIGHT)
    up = Scale(0.0, highest * 1.06, HEIGHT - svg.BOTTOM, svg.TOP)
    bars = "".join(
        f'<path class="bar s0" d="M{svg.number(across(left))} {svg.number(up(0))}'
        f'V{svg.number(up(share))}H{svg.number(across(right))}V{svg.number(up(0))}Z"/>'
        for share, left, right in zip(filled.shares, edges, edges[1:], strict=False)
        if share > 0
    )
    steps = f"M{svg.number(across(edges[0]))} {svg.number(up(0))}" + "".join(
        f"V{svg.number(up(share))}H{svg.number(across(right))}"
        for share, right in zip(outlined.shares, edges[1:], strict=True)
    )
    outline = f'<path class="line s1" d="{steps}V{svg.number(up(0))}"/>'
    x, y = svg.Axis(x_label), svg.Axis("percent of the group", lambda v: f"{100 * v:g}")
    keys = [_key("bar s0", filled.name), _key("line s1", outlined.name)]
    return svg.figure(title, svg.frame(x, y, across, up) + bars + outline, HEIGHT, keys, note)


def _key(kind: str, name: str) -> str:
    shape = f'<path class="{kind}" d="M2 12V2H32V12Z"/>'
    return (
        f'<li><svg class="key" viewBox="0 0 34 14" aria-hidden="true">{shape}</svg> '
        f"{text(name)}</li>"
    )
