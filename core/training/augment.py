"""Random crop, flip and cutout of whole batches, on the device, from numbers drawn per sample.

The numbers of a sample depend on (seed, role, epoch, sample id) only: a pruned run sees each kept
sample exactly as the full run saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.errors import UserError
from core.rng import generator

_COLUMNS = 5  # crop y, crop x, flip, cutout y, cutout x: fixed, so that asking for less moves none


@dataclass(frozen=True)
class Draws:
    """What was drawn for the samples of an epoch, in the order they are visited; on the device.

    ``top``, ``left``: int64 ``[n]``, crop offsets in 0..2 crop. ``flip``: int64 ``[n]``, 0 or 1.
    ``centre``: int64 ``[n, 2]``, cutout centre (y, x).
    """

    top: Tensor
    left: Tensor
    flip: Tensor
    centre: Tensor

    def slice(self, start: int, stop: int) -> Draws:
        """The draws of visits start..stop."""
        return Draws(*(t[start:stop] for t in (self.top, self.left, self.flip, self.centre)))


class Augment:
    """crop: zero padding by ``crop`` pixels, then a crop of the old size; flip: left-right, half
    of the time; cutout (1708.04552): a square of side ``cutout`` set to the mean colour, its centre
    anywhere in the picture."""

    def __init__(
        self, shape: tuple[int, int], crop: int, flip: bool, cutout: int, device: torch.device
    ) -> None:
        self.crop, self.flip, self.cutout = crop, flip, cutout
        self._height, self._width = shape
        self._device = device
        self._rows = torch.arange(self._height, device=device)
        columns = torch.arange(self._width, device=device)
        self._columns = torch.stack((columns, columns.flip(0)))  # by flip: 0 as is, 1 mirrored

    def draw(
        self, order: NDArray[np.int64], n_total: int, seed: int, role: str, epoch: int
    ) -> Draws:
        """The numbers of one epoch for the sample ids ``order``, out of ``n_total`` samples."""
        table = generator(seed, role, "augment", epoch).random((n_total, _COLUMNS), np.float32)
        limits = (2 * self.crop + 1, 2 * self.crop + 1, 2, self._height, self._width)
        picked = np.floor(table[order] * np.array(limits, np.float32)).astype(np.int64)
        drawn = torch.from_numpy(picked).to(self._device)
        top, left, flip, *_ = drawn.unbind(1)
        return Draws(
            top.contiguous(),
            left.contiguous(),
            flip.contiguous() if self.flip else torch.zeros_like(flip),
            drawn[:, 3:],
        )

    def move(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Crop and flip ``[B, H, W, C]`` uint8 in one gather of pixels."""
        if not self.crop and not self.flip:
            return pictures
        count, height, width, channels = pictures.shape
        if self.crop:
            pictures = F.pad(pictures, (0, 0) + (self.crop,) * 4)
        high, wide = height + 2 * self.crop, width + 2 * self.crop
        first = torch.arange(count, device=self._device).mul_(high)
        rows = (first + draws.top if self.crop else first).unsqueeze(1) + self._rows
        columns = self._columns.index_select(0, draws.flip)
        if self.crop:
            columns = columns + draws.left.unsqueeze(1)
        index = rows.mul_(wide).unsqueeze(2) + columns.unsqueeze(1)
        moved = pictures.view(-1, channels).index_select(0, index.view(-1))
        return moved.view(count, height, width, channels)

    def cut(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Set the cutout squares of normalised ``[B, C, H, W]`` pictures to 0, the mean colour."""
        if not self.cutout:
            return pictures
        start = draws.centre - self.cutout // 2
        rows = self._rows - start[:, :1]
        columns = self._columns[0] - start[:, 1:]
        inside_rows = (rows >= 0) & (rows < self.cutout)
        inside_columns = (columns >= 0) & (columns < self.cutout)
        square = inside_rows.unsqueeze(2) & inside_columns.unsqueeze(1)
        return pictures.masked_fill_(square.unsqueeze(1), 0.0)


def parse_augment(
    entries: Sequence[str], input_shape: tuple[int, ...], device: torch.device
) -> Augment | None:
    """The augmentation that ``train.augment`` asks for, None when it asks for none.

    ``crop`` alone means an eighth of the side, ``cutout`` a quarter. Vectors and impossible sizes
    raise UserError.
    """
    if not entries:
        return None
    if len(input_shape) != 3:
        raise UserError("train.augment: the data are vectors, not pictures", "use augment: []")
    height, width = input_shape[1:]
    pixels = {"crop": max(1, min(height, width) // 8), "cutout": max(1, min(height, width) // 4)}
    chosen = {"crop": 0, "flip": 0, "cutout": 0}
    for entry in entries:
        name, _, size = entry.partition(":")
        if name not in chosen:
            raise UserError(f"train.augment: '{entry}' is unknown", "use crop, flip or cutout")
        chosen[name] = int(size) if size else pixels.get(name, 1)
    if max(chosen["crop"], chosen["cutout"]) > min(height, width):
        raise UserError(
            f"train.augment: {list(entries)} moves more than the {height}x{width} picture"
        )
    return Augment((height, width), chosen["crop"], bool(chosen["flip"]), chosen["cutout"], device)
