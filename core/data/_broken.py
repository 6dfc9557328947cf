"""Pictures that cannot be read: named and counted, or left out and listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.data.checks import count
from core.errors import UserError

LIST = "broken.txt"
_SHOWN = 5


def settle(
    broken: Mapping[int, str], name: Callable[[int], str], total: int, out: Path, skip: bool
) -> npt.NDArray[np.int64]:
    """The rows to leave out, written with the reasons into ``out / LIST``.

    UserError naming the first of them unless ``skip``.
    """
    rows = sorted(broken)
    if not rows:
        return np.zeros(0, dtype=np.int64)
    lines = [f"{printable(name(row))}\t{broken[row]}" for row in rows]
    if not skip:
        named = ", ".join(line.replace("\t", " (") + ")" for line in lines[:_SHOWN])
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        what = f"{count(len(rows), 'picture')} of {total:,} cannot be read: {named}{more}"
        raise UserError(what, "repair or remove them, or leave them out with data.skip_broken=true")
    (out / LIST).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return np.array(rows, dtype=np.int64)


def printable(name: str) -> str:
    """A file name on one line: control characters and broken bytes as escapes."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
