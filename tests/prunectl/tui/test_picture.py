"""Pictures as characters: every pixel in its place, in colour and without."""

from __future__ import annotations

import numpy as np
import pytest
from rich.color import Color
from rich.style import Style

from prunectl.tui.widgets.picture import fit_size, picture, picture_cells, resized


def _cell(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))


def test_a_cell_is_two_pixels_one_above_the_other() -> None:
    image = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], dtype=np.uint8)
    assert picture_cells(image, 2, 1) == [
        [("▀", _cell((255, 0, 0), (0, 0, 255))), ("▀", _cell((0, 255, 0), (9, 9, 9)))]
    ]


def test_grey_is_the_same_in_all_three_colours_and_equal_neighbours_join() -> None:
    image = np.full((4, 4, 1), 77, dtype=np.uint8)
    assert picture_cells(image, 4, 2) == [[("▀" * 4, _cell((77,) * 3, (77,) * 3))]] * 2


def test_the_text_has_the_size_asked_for() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for mode in ("colour", "shade", "ascii"):
        lines = picture(image, 13, 5, mode).plain.split("\n")
        assert [len(line) for line in lines] == [13] * 5


def test_without_colour_brighter_is_denser() -> None:
    image = np.array([[[0], [128], [255]]], dtype=np.uint8)
    assert picture(image, 3, 1, "ascii").plain == " +@"
    assert picture(image, 3, 1, "shade").plain == " ▒█"
    assert picture(image, 3, 1, "ascii").plain.isascii()
    assert all(not style for _, style in picture_cells(image, 3, 1, "shade")[0])


def _slow(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Every new pixel from many looks along each axis."""
    fine = 24  # both sides of the image divide it
    high, wide = image.shape[:2]
    rows = np.arange(height * fine) * high // (height * fine)
    columns = np.arange(width * fine) * wide // (width * fine)
    large = image[rows][:, columns].astype(float)
    return large.reshape(height, fine, width, fine, -1).mean(axis=(1, 3))


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (12, 12), (4, 6), (1, 1), (5, 3)])
def test_resizing_is_the_mean_of_what_is_covered(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    found = resized(image, *size)
    assert found.shape == (size[1], size[0], 3)
    assert np.abs(found - _slow(image, *size)).max() <= 0.5 + 1e-9


def test_proportions_are_kept() -> None:
    assert fit_size((8, 8), 4) == 8
    assert fit_size((32, 64), 8) == 32
    assert fit_size((64, 2), 1) == 1


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[H, W, C\]"):
        picture(np.zeros((8, 8), dtype=np.uint8), 4, 2)
