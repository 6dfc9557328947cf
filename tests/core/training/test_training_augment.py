"""Augmentation against a slow reference, and that its numbers belong to (epoch, sample)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import UserError
from core.rng import generator
from core.training.augment import Augment, parse_augment

CPU = torch.device("cpu")


def slow(picture: np.ndarray, crop: int, top: int, left: int, flip: int) -> np.ndarray:
    """Pad, cut out, mirror: one picture ``[H, W, C]`` at a time."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((crop, crop), (crop, crop), (0, 0)))
    cropped = padded[top : top + height, left : left + width]
    return cropped[:, ::-1] if flip else cropped


@pytest.mark.parametrize("crop", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("shape", [(8, 8, 1), (10, 7, 3)])
def test_crop_and_flip_equal_the_slow_reference(
    crop: int, flip: bool, shape: tuple[int, int, int]
) -> None:
    pictures = np.random.default_rng(0).integers(1, 256, (40, *shape), dtype=np.uint8)
    augment = Augment(shape[:2], crop, flip, 0, CPU)
    draws = augment.draw(np.arange(40), 40, 0, "scoring", 0)
    moved = augment.move(torch.from_numpy(pictures), draws).numpy()
    places = zip(draws.top, draws.left, draws.flip, strict=True)
    for picture, result, (top, left, mirrored) in zip(pictures, moved, places, strict=True):
        expected = slow(picture, crop, int(top) * (crop > 0), int(left) * (crop > 0), int(mirrored))
        np.testing.assert_array_equal(result, expected)
    if crop:
        assert set(draws.top.tolist()) == set(range(2 * crop + 1))
    assert set(draws.flip.tolist()) == ({0, 1} if flip else {0})


def test_cutout_sets_a_clipped_square_to_the_mean() -> None:
    augment = Augment((8, 6), 0, False, 3, CPU)
    draws = augment.draw(np.arange(30), 30, 0, "scoring", 0)
    cut = augment.cut(torch.ones(30, 2, 8, 6), draws)
    for picture, (y, x) in zip(cut, draws.centre.tolist(), strict=True):
        expected = torch.ones(2, 8, 6)
        expected[:, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 0
        torch.testing.assert_close(picture, expected)


def test_a_sample_is_augmented_alike_in_a_pruned_run_and_in_another_order() -> None:
    augment = Augment((8, 8), 2, True, 4, CPU)
    full = augment.draw(np.arange(100), 100, 7, "retraining", 3)
    kept = np.array([90, 3, 41, 4])
    pruned = augment.draw(kept, 100, 7, "retraining", 3)
    for name in ("top", "left", "flip", "centre"):
        assert torch.equal(getattr(pruned, name), getattr(full, name)[kept])


def test_other_epochs_seeds_and_roles_draw_other_numbers() -> None:
    augment = Augment((8, 8), 2, True, 0, CPU)
    ids = np.arange(100)
    first = augment.draw(ids, 100, 0, "scoring", 0).top
    for seed, role, epoch in [(1, "scoring", 0), (0, "retraining", 0), (0, "scoring", 1)]:
        assert not torch.equal(first, augment.draw(ids, 100, seed, role, epoch).top)


def test_leaving_one_out_moves_no_other_number() -> None:
    ids = np.arange(100)
    both = Augment((8, 8), 2, True, 0, CPU).draw(ids, 100, 0, "scoring", 0)
    crop_only = Augment((8, 8), 2, False, 0, CPU).draw(ids, 100, 0, "scoring", 0)
    assert torch.equal(both.top, crop_only.top)


def test_draws_come_from_the_table_of_the_epoch() -> None:
    table = generator(5, "scoring", "augment", 2).random((20, 5), np.float32)
    drawn = Augment((8, 8), 2, True, 0, CPU).draw(np.array([11]), 20, 5, "scoring", 2)
    assert int(drawn.top) == int(table[11, 0] * 5)
    assert int(drawn.flip) == int(table[11, 2] >= 0.5)


def test_entries_name_sizes_or_take_them_from_the_side() -> None:
    augment = parse_augment(("crop", "flip", "cutout:5"), (3, 32, 32), CPU)
    assert augment is not None
    assert (augment.crop, augment.flip, augment.cutout) == (4, True, 5)
    assert parse_augment((), (3, 32, 32), CPU) is None


@pytest.mark.parametrize(
    ("entries", "shape", "says"),
    [
        (("flip",), (12,), "vectors"),
        (("rotate",), (1, 8, 8), "'rotate' is unknown"),
        (("crop:9",), (1, 8, 8), "8x8"),
    ],
)
def test_what_cannot_be_done_is_refused(
    entries: tuple[str, ...], shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        parse_augment(entries, shape, CPU)
