"""What is asked for and what is shown: two sides of samples, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunectl import words

VIEWS = ("ends", "disagreement", "kept")


@dataclass(frozen=True)
class Wish:
    """What the user wants to see. ``label`` None: all classes."""

    view: str = VIEWS[0]
    seed: int = 0
    label: int | None = None
    method: str = ""
    rate: float | None = None
    page: int = 0


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a page: what is in sight of the ordered ``total`` samples."""

    title: str
    total: int = 0
    first: int = 0
    ids: tuple[int, ...] = ()
    captions: tuple[tuple[str, str], ...] = ()
    """Class and number of each."""
    images: NDArray[np.uint8] | None = None
    """uint8 ``[n, H, W, C]`` of the ids in sight; None where there are no pictures."""


@dataclass(frozen=True, eq=False)
class Page:
    """What is to be shown: two sides, and words on the whole."""

    wish: Wish
    sides: tuple[Side, ...] = ()
    heading: str = ""
    note: str = ""
    trouble: str = ""
    pages: int = 1


def side_title(side: Side, width: int = 80) -> str:
    """Its name and which of how many are in sight, shorter where there is little room."""
    if not side.ids:
        return f"{side.title}: none" if not side.total else f"{side.title}: no more"
    last, total = side.first + len(side.ids), words.count(side.total)
    for said in (f"{side.title} {side.first + 1}-{last} of {total}", f"{side.title} of {total}"):
        if len(said) <= width:
            return said
    return side.title
