"""What the sources of encoded pictures share: from (pictures, labels) to a dataset on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, cast

import numpy as np
import numpy.typing as npt

from core.data import _broken
from core.data._decode import Pictures, decoded
from core.data._pixels import Broken, decode
from core.data.assemble import assemble, draw, write
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


class _Rules(TypedDict):
    """How labels are looked at and parts are drawn."""

    unlabelled: bool
    stratified: bool


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
    pictures, trained, total = found.pictures, len(found.train), len(found.pictures)
    shape = shape_of(pictures, data.size, colour)
    rules = _Rules(unlabelled=bool((found.train < 0).any()), stratified=True)

    def samples(labels: npt.NDArray[np.int64], inputs: object, rows: slice) -> Samples:
        paths = None if found.paths is None else found.paths[rows]
        return Samples(cast(npt.NDArray[np.uint8], inputs), labels, paths)

    def parts(inputs: Callable[[int, int], object]) -> tuple[Samples, Samples | None]:
        train = samples(found.train, inputs(0, trained), slice(0, trained))
        if found.test is None:
            return train, None
        return train, samples(found.test, inputs(trained, total), slice(trained, total))

    def nearly(done: int, of: int) -> None:
        if progress is not None:  # still asked often, as it may raise to stop
            progress(total if done == of else total - 1, total)

    # Nothing is decoded yet: of the inputs the checks only look at type and shape.
    unseen = parts(lambda first, stop: np.broadcast_to(np.uint8(0), (stop - first, *shape)))
    split = draw(data, *unseen, found.classes, **rules)
    places = {"train": split.train, "test": split.test + (0 if found.test is None else trained)}
    if split.validation is not None:
        places["validation"] = split.validation
    # When pictures are left out, the split is another and what is kept is copied.
    with decoded(
        pictures, found.key, out, places, shape, data.size, progress, workers, int(skip_broken)
    ) as result:
        bad = _broken.settle(result.broken, pictures.name, total, out, skip_broken)
        if not len(bad):
            return write(
                data,
                out,
                *unseen,
                found.classes,
                split,
                written=result.written,
                scale=result.scale,
                progress=nearly,
            )
        without = {"train": bad[bad < trained], "test": bad[bad >= trained] - trained}
        return assemble(
            data,
            out,
            *parts(result.layout.rows),
            found.classes,
            without=without,
            progress=nearly,
            **rules,
        )
