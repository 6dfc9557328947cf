"""Your own arrays: layouts, types, and everything that can be wrong with a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.bank import Dataset
from core.data.prepare import disk_bytes, prepare_dataset
from core.errors import UserError
from core.testing.data import PlainDataSpec

RNG = np.random.default_rng(3)
PICTURES = RNG.integers(0, 256, (24, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(24) % 3


def _keys(x: Any, y: Any = LABELS, **more: Any) -> dict[str, Any]:
    return {"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6], **more}


def _prepare(folder: Path, keys: dict[str, Any], **options: Any) -> Dataset:
    np.savez(folder / "mine.npz", **keys)
    spec = PlainDataSpec("arrays", root=folder / "mine.npz", **options)
    return prepare_dataset(spec, folder / "cache")


@pytest.mark.parametrize(
    "stored",
    [
        PICTURES,
        PICTURES.transpose(0, 3, 1, 2),
        PICTURES.astype(np.int64),
        PICTURES / 255,
        (PICTURES / 255).astype(np.float32),
        np.asfortranarray(PICTURES),
        PICTURES.astype(">i4"),
    ],
    ids=["nhwc", "nchw", "int64", "float64", "float32", "fortran", "big-endian"],
)
def test_pictures_end_up_the_same(tmp_path: Path, stored: np.ndarray[Any, Any]) -> None:
    dataset = _prepare(tmp_path, _keys(stored))
    assert np.array_equal(dataset.train.inputs, PICTURES)
    assert np.array_equal(dataset.test.inputs, PICTURES[:6])
    assert dataset.train.input_shape == (3, 6, 5) and dataset.classes == ("0", "1", "2")
    assert dataset.train.targets.tolist() == LABELS.tolist()


def test_grey_pictures_get_a_channel(tmp_path: Path) -> None:
    dataset = _prepare(tmp_path, _keys(PICTURES[..., 0]))
    assert dataset.train.input_shape == (1, 6, 5)
    assert np.array_equal(dataset.train.inputs[..., 0], PICTURES[..., 0])


def test_vectors(tmp_path: Path) -> None:
    rows = RNG.normal(5, 2, (24, 7))
    dataset = _prepare(tmp_path, _keys(rows))
    assert dataset.train.inputs.dtype == np.float32 and dataset.train.input_shape == (7,)
    np.testing.assert_allclose(dataset.train.mean, rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(dataset.train.std, rows.std(axis=0), rtol=1e-6)


def test_column_of_labels_and_class_names(tmp_path: Path) -> None:
    names = np.array(["cat", "dog", "owl"])
    dataset = _prepare(tmp_path, _keys(PICTURES, LABELS[:, None], classes=names))
    assert dataset.classes == ("cat", "dog", "owl") and dataset.test.targets.shape == (6,)


def test_ambiguous_layout_is_asked_for(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (24, 3, 4, 3), dtype=np.uint8)
    with pytest.raises(UserError, match="data.layout"):
        _prepare(tmp_path, _keys(x))
    dataset = _prepare(tmp_path, _keys(x), params={"layout": "nchw"})
    assert np.array_equal(dataset.train.inputs, x.transpose(0, 2, 3, 1))


def test_held_out_test_and_validation(tmp_path: Path) -> None:
    x = np.arange(48, dtype=np.float64).reshape(24, 2)
    keys = {"x_train": x, "y_train": LABELS}
    dataset = _prepare(tmp_path, keys, test_fraction=0.25, validation=4)
    assert dataset.validation is not None
    parts = [bank.inputs[:, 0] for bank in (dataset.train, dataset.test, dataset.validation)]
    assert [len(p) for p in parts] == [14, 6, 4]
    assert sorted(np.concatenate(parts)) == x[:, 0].tolist()
    assert all((np.diff(p) > 0).all() for p in parts)  # each in the source's order
    for bank in dataset.parts().values():
        assert np.array_equal(bank.targets, (bank.inputs[:, 0] / 2) % 3)


def test_unlabelled_samples_only_when_announced(tmp_path: Path) -> None:
    labels = LABELS.copy()
    labels[[20, 22]] = -1
    with pytest.raises(UserError, match=r"2 train labels outside 0\.\.2 \(found -1\): samples 20"):
        _prepare(tmp_path, _keys(PICTURES, labels))
    keys = {"x_train": PICTURES, "y_train": labels}
    options: dict[str, Any] = {"params": {"unlabelled": True}, "test_fraction": 0.5}
    dataset = _prepare(tmp_path, keys, **options)
    assert (dataset.train.targets == -1).sum() == 2 and (dataset.test.targets >= 0).all()
    assert len(dataset.test) == 11


def _spoiled(value: float) -> np.ndarray[Any, Any]:
    rows = RNG.normal(size=(24, 4))
    rows[[5, 9], 2] = value
    return rows


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"x_train": PICTURES}, "lacks y_train, x_test, y_test .it holds x_train"),
        ({"x_train": PICTURES, "y_train": LABELS}, "or set data.test_fraction"),
        (_keys(_spoiled(np.nan)), "2 train samples of 24 hold NaN or infinite .*: samples 5, 9"),
        (_keys(_spoiled(-np.inf)), "2 train samples .*: samples 5, 9"),
        (_keys(_spoiled(1e300)), "2 train samples .*: samples 5, 9"),
        (_keys(np.where(PICTURES == 7, np.nan, PICTURES / 255)), "x_train samples? of 24 hold NaN"),
        (_keys(PICTURES * 1.0), "values from 0.0 to 255.0; pixels have to be"),
        (_keys(PICTURES.astype(int) - 1), "values from -1 to 254"),
        (_keys(PICTURES, LABELS * 1.5), r"y_train is float64 \[24\]"),
        (_keys(PICTURES, np.eye(3)[LABELS]), r"y_train is float64 \[24, 3\]"),
        (_keys(PICTURES, np.where(LABELS == 1, 2, LABELS)), "1 class without .* samples: '1'"),
        (_keys(PICTURES, LABELS - 1), r"found -1"),
        (_keys(PICTURES, LABELS * 0), "there are 1 classes"),
        (_keys(PICTURES, classes=np.array(["a", "b"])), r"8 train labels outside 0..1 \(found 2\)"),
        (_keys(PICTURES, classes=np.array(["a", "b", "a"])), "given twice: a"),
        ({**_keys(PICTURES), "y_train": LABELS[:9]}, "24 samples but 9 labels"),
        ({**_keys(PICTURES), "x_test": PICTURES[:6, :5]}, "train inputs .* but test inputs"),
        ({**_keys(PICTURES), "y_test": LABELS[:6] - 1}, "2 test labels outside"),
        (_keys(PICTURES[:0], LABELS[:0]), "there are 0 classes"),
        (_keys(PICTURES[:0], LABELS[:0], classes=np.array(["a", "b"])), "train has no samples"),
        (_keys(PICTURES[:, 0, 0, 0]), r"x_train is uint8 \[24\]"),
        (_keys(PICTURES.astype(str)), "x_train is <U3"),
        (_keys(np.array([{}] * 24)), "x_train in .* holds Python objects"),
    ],
)
def test_wrong_data_is_one_line(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _prepare(tmp_path, keys)
    assert "\n" not in str(caught.value) and caught.value.todo
    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fraction": 0.5}, "has its own test set"),
        ({"size": 9}, "data.size is 9"),
        ({"n": 9}, "data.n has no meaning"),
        ({"validation": 24}, "data.validation is 24"),
        ({"validation": -1}, "data.validation is -1"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _prepare(tmp_path, _keys(PICTURES), **options)


@pytest.mark.parametrize(
    ("fraction", "message"),
    [(0.0, "between"), (1.0, "between"), (0.01, "0 test samples of 24"), (0.99, "24 test samples")],
)
def test_wrong_test_fraction(tmp_path: Path, fraction: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _prepare(tmp_path, {"x_train": PICTURES, "y_train": LABELS}, test_fraction=fraction)


def test_holding_out_the_last_of_a_class_is_noticed(tmp_path: Path) -> None:
    labels = np.array([0, 1] * 11 + [2, 2])
    with pytest.raises(UserError, match="with one of each class left; hold out fewer"):
        _prepare(tmp_path, {"x_train": PICTURES, "y_train": labels}, test_fraction=0.95)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 torn"])
def test_unreadable_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    spec = PlainDataSpec("arrays", root=tmp_path / "x.npz")
    with pytest.raises(UserError, match=r"not a readable \.npz"):
        prepare_dataset(spec, tmp_path / "cache")


def test_damaged_member(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **_keys(PICTURES))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[700] ^= 255
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(UserError, match="x_train in .* is damaged"):
        prepare_dataset(PlainDataSpec("arrays", root=tmp_path / "x.npz"), tmp_path / "cache")


@pytest.mark.parametrize(("root", "message"), [(None, "needs data.root"), (".", "is not a file")])
def test_root_has_to_be_a_file(tmp_path: Path, root: str | None, message: str) -> None:
    spec = PlainDataSpec("arrays", root=None if root is None else tmp_path / root)
    with pytest.raises(UserError, match=message):
        disk_bytes(spec)


def test_disk_bytes_are_those_of_the_arrays(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", **_keys(np.zeros((24, 100, 100, 3), dtype=np.uint8)))
    estimate = disk_bytes(PlainDataSpec("arrays", root=tmp_path / "x.npz"))
    assert 30 * 30_000 < estimate < 30 * 30_000 + 5000
