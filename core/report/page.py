"""The page around the sections: head, styles for light, dark and print. One file, no script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.report.html import bullets, paragraph, text

_STYLE = Path(__file__).with_name("style.css")


def page(
    title: str, byline: str, lead: Sequence[str | list[str]], sections: Sequence[str | None]
) -> str:
    """A whole HTML document. ``title``, ``byline`` and ``lead`` are plain text; ``sections`` is
    markup that is escaped already, None where a section has nothing to show."""
    style = _STYLE.read_text(encoding="utf-8")
    intro = "".join(bullets(p) if isinstance(p, list) else paragraph(p) for p in lead)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        # The browser itself refuses whatever a page could fetch or run.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{text(title)}</title><style>{style}</style></head><body>"
        f'<header><h1>{text(title)}</h1><p class="by">{text(byline)}</p></header>'
        f'<main><div class="lead">{intro}</div>{"".join(s for s in sections if s)}</main>'
        "</body></html>\n"
    )
