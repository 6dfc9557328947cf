"""The digits: the default of the quickstart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.data.prepare import disk_bytes, prepare_dataset
from core.errors import UserError
from core.rng import generator
from core.testing.data import PlainDataSpec


def test_counts_values_and_split(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    dataset = prepare_dataset(PlainDataSpec("digits", test_fraction=0.3), tmp_path)
    assert (len(dataset.train), len(dataset.test), dataset.validation) == (1258, 539, None)
    assert dataset.train.input_shape == (1, 8, 8)
    assert dataset.classes == tuple("0123456789")
    table = load_digits()
    order = generator(0, "data", "data", 0).permutation(1797)
    test, train = np.sort(order[:539]), np.sort(order[539:])
    for bank, rows in ((dataset.test, test), (dataset.train, train)):
        assert np.array_equal(bank.targets, table.target[rows])
        expected = np.round(table.images[rows] * 255 / 16)
        assert np.array_equal(bank.inputs[..., 0], expected)
    assert dataset.train.inputs.max() == 255


def test_three_tenths_are_held_out_unless_said(tmp_path: Path) -> None:
    given = prepare_dataset(PlainDataSpec("digits", test_fraction=0.3), tmp_path)
    default = prepare_dataset(PlainDataSpec("digits"), tmp_path)
    assert default.fingerprint == given.fingerprint


def test_data_seed_draws_another_test_set(tmp_path: Path) -> None:
    one = prepare_dataset(PlainDataSpec("digits"), tmp_path)
    other = prepare_dataset(PlainDataSpec("digits", seed=1), tmp_path)
    assert one.folder != other.folder and one.fingerprint != other.fingerprint


def test_larger_pictures_repeat_pixels(tmp_path: Path) -> None:
    small = prepare_dataset(PlainDataSpec("digits"), tmp_path)
    large = prepare_dataset(PlainDataSpec("digits", size=32), tmp_path)
    assert large.train.input_shape == (1, 32, 32)
    assert np.array_equal(large.train.inputs[:, 2::4, 3::4], small.train.inputs)
    assert disk_bytes(PlainDataSpec("digits", size=32)) == 1797 * (32 * 32 + 8)


@pytest.mark.parametrize("option", [{"size": 12}, {"size": 0}, {"root": Path("x")}, {"n": 10}])
def test_options_it_cannot_honour(tmp_path: Path, option: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"data.{next(iter(option))}"):
        prepare_dataset(PlainDataSpec("digits", **option), tmp_path)  # type: ignore[arg-type]  # options of every kind
    assert not list(tmp_path.iterdir())
