"""Pieces of HTML. Whatever comes from outside goes through :func:`text`; nothing else escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def text(value: object) -> str:
    """Any value as text that is safe between tags and inside quoted attributes."""
    return escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value)), quote=True)


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of plain words; ``kind`` is its CSS class."""
    return f"<p{_class(kind)}>{text(words)}</p>"


def bullets(items: Iterable[str]) -> str:
    """A list of plain words."""
    return f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table; a column whose name ends with ``>`` is flush right, the first names the row."""
    right = [" class=num" if name.endswith(">") else "" for name in head]
    titles = "".join(
        f'<th scope="col"{kind}>{text(name.rstrip(">"))}</th>'
        for name, kind in zip(head, right, strict=True)
    )
    body = "".join(_row(row, right) for row in rows)
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{said}<thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[object], right: Sequence[str]) -> str:
    first, *rest = zip(cells, right, strict=True)
    others = "".join(f"<td{kind}>{text(cell)}</td>" for cell, kind in rest)
    return f'<tr><th scope="row"{first[1]}>{text(first[0])}</th>{others}</tr>'


def folded(title: str, body: str) -> str:
    """Something long behind a line that opens it; works without a script."""
    return f"<details><summary>{text(title)}</summary>{body}</details>"


def section(anchor: str, title: str, *parts: str | None) -> str | None:
    """A titled section; None when there is nothing in it."""
    body = "".join(part for part in parts if part)
    if not body:
        return None
    return f'<section id="{text(anchor)}"><h2>{text(title)}</h2>{body}</section>'


def _class(kind: str) -> str:
    return f' class="{text(kind)}"' if kind else ""
