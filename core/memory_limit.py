"""How many rows an extrapolation on files takes at a time, from the memory it may add.

Counted is what grows with the samples: the scored rows that a search compares with, the answers,
and the blocks that are read, normalised and searched. The pages of a memory-mapped input are not:
the system takes them back when it needs them.
"""

from __future__ import annotations

from typing import NamedTuple

from core import approximate
from core.errors import UserError
from core.neighbors import BLOCK
from core.units import size_text

KEPT_BY = ("knn",)  # the others hold matrices of all samples
LEAST = 64  # rows; fewer make a search slow
_CHECKED = 65536  # rows looked through for NaN at a time, at most
_LIBRARIES = 64 * 2**20  # code and buffers of faiss, SciPy and the allocator
_SAMPLE = 80  # bytes of answers a sample: ids, values, deviations, ranks
_FOUND = 96  # bytes a neighbour of a query while their scores are averaged


class Blocks(NamedTuple):
    """Rows at a time: of a search with its predictions, and of a look through the embeddings."""

    search: int = BLOCK
    checked: int = _CHECKED


def blocks(
    limit: int, samples: int, scored: int, width: int, itemsize: int, k: int, *,
    method: str = "knn", search: str = "auto", metric: str = "cosine",
) -> Blocks:  # fmt: skip
    """The largest blocks that keep an extrapolation of ``samples`` rows ``[width]`` of ``itemsize``
    bytes a number, from ``scored`` of them and ``k`` neighbours, within ``limit`` bytes.

    :class:`UserError` where even the smallest do not, or where the method does not work in blocks.
    """
    if method not in KEPT_BY:
        raise UserError(
            f"{method} holds matrices of all samples: --max-memory does not bound it",
            f"take --method {KEPT_BY[0]}, or leave --max-memory out",
        )
    base = 4 * scored * width
    # two inverted files beside the rows; for a Euclidean search a copy of which the mean is taken
    near = search == "approximate" or (
        search == "auto" and approximate.worthwhile(scored, samples - scored)
    )
    held = base * (3 if near else 1) + (scored * width * itemsize if metric != "cosine" else 0)
    held += _LIBRARIES + _SAMPLE * samples + 12 * k * scored // 5  # the fold's neighbours
    row = width * (itemsize + 9) + _FOUND * k
    least = held + LEAST * row
    if limit < least:
        raise UserError(
            f"--max-memory {size_text(limit)} is too small: {scored} scored rows of {width} "
            f"numbers and {samples} answers need {size_text(least, up=True)}",
            f"give at least {size_text(least, up=True)}",
        )
    rows = (limit - held) // row
    return Blocks(min(BLOCK, rows), min(_CHECKED, rows))
