"""What the sources of encoded pictures share: from (pictures, labels) to a dataset on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.data import _broken
from core.data._decode import Pictures, decoded
from core.data._pixels import Broken, decode
from core.data.assemble import assemble
from core.data.bank import Dataset, Samples
from core.data.base import DataSpec, Progress
from core.errors import UserError

Colour = Literal["rgb", "grey"]
CHANNELS = {"rgb": 3, "grey": 1}
_PROBED = 20


@dataclass(frozen=True)
class Collection:
    """Encoded pictures, the training ones first. ``train``, ``test``: int64 labels; ``test`` is
    None when the source has no test set. ``paths``: of all rows, None when they have none. ``key``:
    what the encoded bytes depend on, JSON-able."""

    pictures: Pictures
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64] | None
    classes: list[str]
    paths: Sequence[str] | None
    key: object


def shape_of(pictures: Pictures, size: int | None, colour: Colour) -> tuple[int, int, int]:
    """(H, W, C) of every prepared picture: ``size``, else that of the first that can be read."""
    channels = CHANNELS[colour]
    if size is not None:
        return size, size, channels
    why = ""
    for row, sources in pictures.chunks(1, ()):
        if row == _PROBED:
            break
        try:
            height, width, _ = decode(sources[0], None, channels).shape
        except Broken as error:
            why = why or f"'{_broken.printable(pictures.name(row))}': {error}"
            continue
        return height, width, channels
    what = f"none of the first {min(_PROBED, len(pictures))} pictures can be read ({why})"
    raise UserError(what, "check data.root, or set data.size")


def bank_bytes(pictures: Pictures, size: int | None, colour: Colour) -> int:
    """Bytes of the prepared pixels and labels."""
    height, width, channels = shape_of(pictures, size, colour)
    return len(pictures) * (height * width * channels + 8)


def prepare_pictures(
    data: DataSpec,
    out: Path,
    found: Collection,
    colour: Colour,
    skip_broken: bool,
    progress: Progress | None,
    workers: int | None,
) -> Dataset:
    """Decode, leave out or name what is broken, split class by class, write into ``out``."""
    pictures, trained = found.pictures, len(found.train)
    shape = shape_of(pictures, data.size, colour)
    with decoded(pictures, found.key, out, shape, data.size, progress, workers) as result:
        total = len(pictures)
        bad = _broken.settle(result.broken, pictures.name, total, out, skip_broken)

        def samples(labels: npt.NDArray[np.int64], rows: slice) -> Samples:
            paths = None if found.paths is None else found.paths[rows]
            return Samples(result.inputs[rows], labels, paths)

        def nearly(done: int, of: int) -> None:
            if progress is not None:  # still asked often, as it may raise to stop
                progress(total if done == of else total - 1, total)

        return assemble(
            data,
            out,
            samples(found.train, slice(0, trained)),
            None if found.test is None else samples(found.test, slice(trained, total)),
            found.classes,
            unlabelled=bool((found.train < 0).any()),
            stratified=True,
            without={"train": bad[bad < trained], "test": bad[bad >= trained] - trained},
            progress=nearly,
        )
