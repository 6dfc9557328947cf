"""Banks: written, opened, described, found damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from core.data import _npy
from core.data._statistics import statistics
from core.data.bank import (
    Dataset,
    Samples,
    open_dataset,
    seal_dataset,
    targets_digest,
    verify_inputs,
    write_bank,
)
from core.errors import MachineError

ALL = np.arange(30, dtype=np.int64)
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
LABELS = ALL % 3


def _dataset(folder: Path, train: Samples | None = None) -> Dataset:
    train = train or Samples(IMAGES, LABELS)
    scale = statistics(train.inputs, np.arange(len(train.inputs), dtype=np.int64))
    write_bank(folder / "train", train, "abc", scale)
    write_bank(folder / "test", Samples(IMAGES[:5], LABELS[:5]), "abc", scale)
    return seal_dataset(folder, "mine")


def test_round_trip(tmp_path: Path) -> None:
    bank = _dataset(tmp_path).train
    assert np.array_equal(bank.inputs, IMAGES) and isinstance(bank.inputs, np.memmap)
    assert bank.targets.tolist() == LABELS.tolist()
    assert (len(bank), bank.input_shape, bank.classes) == (30, (3, 4, 5), ("a", "b", "c"))


def test_rows_are_written_in_the_order_of_their_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_npy, "_BLOCK_BYTES", 4 * 60)  # several blocks of four rows
    ids, seen = np.array([9, 2, 28, 0, 17, 5]), []
    one = (np.zeros(3), np.ones(3))
    bank = write_bank(tmp_path / "b", Samples(IMAGES, LABELS), "abc", one, ids, seen.append)
    assert np.array_equal(bank.inputs, IMAGES[ids]) and np.array_equal(bank.targets, LABELS[ids])
    assert seen == [4, 2]


def test_fingerprint_is_sha256_of_type_shape_and_bytes(tmp_path: Path) -> None:
    expected = hashlib.sha256(b"|u1(30, 4, 5, 3)" + IMAGES.tobytes()).hexdigest()
    dataset = _dataset(tmp_path)
    assert dataset.train.fingerprint == expected
    joined = f"{expected}/{dataset.test.fingerprint}".encode()
    assert dataset.fingerprint == hashlib.sha256(joined).hexdigest()


def test_labels_are_not_in_the_fingerprint_but_in_the_digest(tmp_path: Path) -> None:
    one = _dataset(tmp_path / "1")
    other_labels = LABELS.copy()
    other_labels[7] = 0
    two = _dataset(tmp_path / "2", Samples(IMAGES, other_labels))
    assert one.fingerprint == two.fingerprint
    assert targets_digest(one.train) != targets_digest(two.train)
    assert targets_digest(one.train, [1, 2, 3]) == targets_digest(two.train, [1, 2, 3])
    assert targets_digest(one.train, [7]) != targets_digest(two.train, [7])
    assert targets_digest(one.train, [0, 1]) != targets_digest(one.train, [1, 0])


@pytest.mark.parametrize("wrong", [-1, 30])
def test_digest_refuses_ids_outside(tmp_path: Path, wrong: int) -> None:
    with pytest.raises(IndexError, match="0..29"):
        targets_digest(_dataset(tmp_path).train, [0, wrong])


def test_columns(tmp_path: Path) -> None:
    paths = [f"ä/{i}\udcff.png" for i in range(29)] + [""]
    truth, source = np.linspace(0, 1, 30), np.array(["web", "phone", "web"] * 10)
    bank = _dataset(tmp_path, Samples(IMAGES, LABELS, paths, source, truth)).train
    assert bank.path is not None and bank.source is not None and bank.truth is not None
    assert list(bank.path) == paths and bank.path[-1] == "" and bank.path[2:4] == tuple(paths[2:4])
    with pytest.raises(IndexError):
        bank.path[30]
    assert np.array_equal(bank.source, source) and np.array_equal(bank.truth, truth)


def test_image_statistics_against_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ALL[3:20]
    mean, std = statistics(IMAGES, ids)
    scaled = IMAGES[ids].astype(np.float64) / 255
    np.testing.assert_allclose(mean, scaled.mean(axis=(0, 1, 2)), rtol=1e-13)
    np.testing.assert_allclose(std, scaled.std(axis=(0, 1, 2)), rtol=1e-12)
    monkeypatch.setattr(_npy, "_BLOCK_BYTES", 100)
    assert np.array_equal(statistics(IMAGES, ids), [mean, std])


@pytest.mark.parametrize("shape", [(700, 3, 2, 1), (300, 5, 4, 3), (2, 700, 400, 4)])
def test_image_statistics_are_exact(shape: tuple[int, ...]) -> None:
    """Against sums of Python's integers, white pictures being the largest sums there are."""
    pictures = np.random.default_rng(0).integers(250, 256, shape, dtype=np.uint8)
    pictures[..., 0] = 255
    pictures[0, 0, 0, 0] = 254
    mean, std = statistics(pictures, np.arange(len(pictures)))
    for channel in range(shape[3]):
        values = pictures[..., channel].ravel().astype(int)
        number, total = len(values), int(values.sum())
        spread = number * int((values**2).sum()) - total**2
        assert mean[channel] == total / (255 * number)
        assert std[channel] == np.sqrt(spread / (255 * number) ** 2)


def test_vector_statistics_survive_a_large_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).normal(1000, 0.5, (200, 3)).astype(np.float32)
    rows[:, 1] = 0.1
    monkeypatch.setattr(_npy, "_BLOCK_BYTES", 120)
    mean, std = statistics(rows, np.arange(200))
    np.testing.assert_allclose(mean, rows.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std[[0, 2]], rows[:, [0, 2]].astype(np.float64).std(axis=0))
    assert std[1] == 1.0


def test_black_pictures_have_a_scale() -> None:
    mean, std = statistics(np.zeros((3, 2, 2, 1), dtype=np.uint8), np.arange(3))
    assert (mean.tolist(), std.tolist()) == ([0.0], [1.0])


@pytest.mark.parametrize(
    "file",
    [
        "dataset.json",
        "train/bank.json",
        "train/inputs.npy",
        "test/targets.npy",
        "test/statistics.npy",
    ],
)
@pytest.mark.parametrize("how", ["missing", "empty", "truncated"])
def test_damage_is_one_line(tmp_path: Path, file: str, how: str) -> None:
    _dataset(tmp_path)
    target = tmp_path / file
    content = target.read_bytes()
    target.unlink()
    if how != "missing":
        target.write_bytes(b"" if how == "empty" else content[: len(content) - 9])
    with pytest.raises(MachineError, match="damaged") as caught:
        open_dataset(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path) in caught.value.what


def test_changed_labels_and_pixels_are_noticed(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path)
    verify_inputs(dataset)
    _flip_last_byte(tmp_path / "train" / "inputs.npy")
    with pytest.raises(MachineError, match=r"train/inputs\.npy has changed"):
        verify_inputs(open_dataset(tmp_path))
    _flip_last_byte(tmp_path / "test" / "targets.npy")
    with pytest.raises(MachineError, match=r"test/targets\.npy has changed"):
        open_dataset(tmp_path)


def test_newer_format_is_refused(tmp_path: Path) -> None:
    _dataset(tmp_path)
    about = json.loads((tmp_path / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(MachineError, match="format is 99"):
        open_dataset(tmp_path)


def test_parts_of_two_datasets_do_not_mix(tmp_path: Path) -> None:
    _dataset(tmp_path / "1")
    _dataset(tmp_path / "2", Samples(IMAGES[::-1].copy(), LABELS))
    (tmp_path / "1" / "train").rename(tmp_path / "away")
    (tmp_path / "2" / "train").rename(tmp_path / "1" / "train")
    with pytest.raises(MachineError, match="do not belong together"):
        open_dataset(tmp_path / "1")


def _flip_last_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
