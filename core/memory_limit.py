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

KEPT_BY = ("knn", "kernel", "ridge")
"""The others hold what grows with all samples: their neighbours and graph, or a forest."""
LEAST = 64  # rows; fewer make a search slow
_CHECKED = 65536  # rows looked through for NaN at a time, at most
_LIBRARIES = 64 * 2**20  # code and buffers of faiss, SciPy and the allocator
_SAMPLE = 80  # bytes of answers a sample: ids, values, deviations, ranks
_FOUND = 96  # bytes a neighbour of a query while their scores are averaged
_FOLD = 5  # one scored sample in so many is held out
_FITTED, _ROW, _SQUARE = 20, 36, 40  # bytes a number of a regression: of scored rows, of rows that
# are predicted, and of the square matrices


class Blocks(NamedTuple):
    """Rows at a time: of a search with its predictions, and of a look through the embeddings."""

    search: int = BLOCK
    checked: int = _CHECKED


def blocks(
    limit: int, samples: int, scored: int, width: int, itemsize: int, k: int, *,
    method: str = "knn", search: str = "auto", metric: str = "cosine", classes: int = 0,
) -> Blocks:  # fmt: skip
    """The largest blocks that keep an extrapolation of ``samples`` rows ``[width]`` of ``itemsize``
    bytes a number, from ``scored`` of them and ``k`` neighbours, within ``limit`` bytes;
    ``classes``: columns that labels add.

    :class:`UserError` where even the smallest do not, or where the method does not work in blocks.
    """
    if method not in KEPT_BY:
        raise UserError(
            f"{method} holds matrices of all samples: --max-memory does not bound it",
            f"take --method {', '.join(KEPT_BY[:-1])} or {KEPT_BY[-1]}, or leave --max-memory out",
        )
    held = _LIBRARIES + _SAMPLE * samples
    if method == "ridge":
        columns = width + classes
        held += _FITTED * scored * columns + _SQUARE * columns * columns
        row = width * itemsize + _ROW * columns
    else:
        held += _searched(samples, scored, width, itemsize, search, metric)
        # the neighbours of the fold, and with the kernel whether their labels are the same
        held += (12 if method == "knn" else 21) * k * scored // _FOLD
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


def _searched(
    samples: int, scored: int, width: int, itemsize: int, search: str, metric: str
) -> int:
    """Bytes of what a search compares with."""
    # two inverted files beside the rows; for a Euclidean search a copy of which the mean is taken
    near = search == "approximate" or (
        search == "auto" and approximate.worthwhile(scored, samples - scored)
    )
    copy = scored * width * itemsize if metric != "cosine" else 0
    return 4 * scored * width * (3 if near else 1) + copy
