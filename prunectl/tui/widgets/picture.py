"""Pictures made of characters: a cell shows two pixels, one above the other.

Where there is no colour a cell is a shade or, in plain ASCII, a letter as bright as what it
stands for.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

Mode = Literal["colour", "shade", "ascii"]
Cells = list[tuple[str, Style]]

_RAMPS = {"shade": " ░▒▓█", "ascii": " .:-=+*#%@"}
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709
_PLAIN = Style()


def picture(image: NDArray[np.uint8], width: int, height: int, mode: Mode = "colour") -> Text:
    """An image uint8 ``[H, W, C]``, C 1 or 3 (or more: the first three), in ``height`` lines of
    ``width`` cells. ValueError for another shape."""
    text = Text(no_wrap=True, end="")
    for index, line in enumerate(picture_cells(image, width, height, mode)):
        if index:
            text.append("\n")
        for piece, style in line:
            text.append(piece, style)
    return text


def picture_cells(
    image: NDArray[np.uint8], width: int, height: int, mode: Mode = "colour"
) -> list[Cells]:
    """The same as lines of (text, style) pieces, equal neighbours joined."""
    if image.ndim != 3 or not image.size:
        raise ValueError(f"an image is [H, W, C], not {list(image.shape)}")
    colours = image[..., :3] if image.shape[2] >= 3 else image[..., [0, 0, 0]]
    if mode == "colour":
        pixels = resized(colours, width, 2 * height)
        return [_half_blocks(pixels[row], pixels[row + 1]) for row in range(0, 2 * height, 2)]
    ramp = _RAMPS[mode]
    light = resized(colours, width, height) @ _LUMINANCE / 255
    levels = np.minimum((light * len(ramp)).astype(int), len(ramp) - 1)
    return [[("".join(ramp[level] for level in row), _PLAIN)] for row in levels]


def resized(image: NDArray[Any], width: int, height: int) -> NDArray[np.uint8]:
    """uint8 ``[H, W, C]`` to ``[height, width, C]``: each new pixel is the mean of what it covers,
    so nothing thin is lost; enlarging by a whole factor repeats pixels."""
    rows, columns = _overlaps(image.shape[0], height), _overlaps(image.shape[1], width)
    mixed = np.einsum("yh,hwc,xw->yxc", rows, image.astype(np.float64), columns, optimize=True)
    found: NDArray[np.uint8] = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return found


def fit_size(sides: tuple[int, int], height: int) -> int:
    """Cells of width that keep the proportions of a picture of ``sides`` (H, W) in ``height``
    lines: a cell is about twice as high as it is wide."""
    high, wide = sides
    return max(1, round(2 * height * wide / high))


@lru_cache(maxsize=64)
def _overlaps(old: int, new: int) -> NDArray[np.float64]:
    """``[new, old]``: the share of each old pixel in a new one, rows summing to 1."""
    edges = np.arange(new + 1) * (old / new)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(old)[None, :]
    covered = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
    shares: NDArray[np.float64] = covered.clip(0) * (new / old)
    return shares


def _half_blocks(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> Cells:
    pairs = np.concatenate([upper, lower], axis=1).tolist()
    line: Cells = []
    for pair, run in groupby(pairs):
        length = sum(1 for _ in run)
        line.append(("▀" * length, _style(*pair)))
    return line


@lru_cache(maxsize=8192)
def _style(red: int, green: int, blue: int, red2: int, green2: int, blue2: int) -> Style:
    return Style(
        color=Color.from_rgb(red, green, blue), bgcolor=Color.from_rgb(red2, green2, blue2)
    )
