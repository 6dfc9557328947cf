"""CIFAR-10 from small files in the true format."""

from __future__ import annotations

import os
import pickle
import pickletools
import warnings
from pathlib import Path

import pytest
from cifar_files import BATCHES, CLASSES, FOLDER, publish, write_cifar

from core.data.prepare import prepare_dataset, prepared_info
from core.errors import UserError
from core.testing.data import PlainDataSpec


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    publish(monkeypatch, write_cifar(tmp_path / "src"))
    return tmp_path / "src"


def _spec(root: Path | None) -> PlainDataSpec:
    return PlainDataSpec("cifar10", root=root)


def test_files_are_what_python_2_wrote(source: Path) -> None:
    codes = {
        op.name for op, _, _ in pickletools.genops((source / FOLDER / "test_batch").open("rb"))
    }
    assert {"SHORT_BINSTRING", "BINSTRING"} <= codes
    assert not codes & {"BINUNICODE", "SHORT_BINBYTES", "BINBYTES"}


def test_pixels_and_labels_arrive_unpermuted(source: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = prepare_dataset(_spec(source), tmp_path / "cache")
    assert (len(dataset.train), len(dataset.test)) == (100, 20)
    assert dataset.train.input_shape == (3, 32, 32)
    assert dataset.classes == tuple(CLASSES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (source / FOLDER / BATCHES[1]).open("rb") as handle:
            second = pickle.load(handle, encoding="latin1")
    # A row is 1024 red, 1024 green, 1024 blue, each 32x32 row by row.
    sample, y, x = 7, 3, 21
    for channel in range(3):
        expected = second["data"][sample][channel * 1024 + y * 32 + x]
        assert dataset.train.inputs[20 + sample, y, x, channel] == expected
    assert dataset.train.targets[20:40].tolist() == second["labels"]


def test_batches_folder_itself_may_be_named(source: Path, tmp_path: Path) -> None:
    inner = prepare_dataset(_spec(source / FOLDER), tmp_path / "cache")
    assert inner.folder == prepare_dataset(_spec(source), tmp_path / "cache").folder


def test_root_defaults_to_the_data_cache(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRUNECTL_DATA", str(source))
    assert len(prepare_dataset(_spec(None), tmp_path / "cache").train) == 100


def test_missing_files_are_named(source: Path, tmp_path: Path) -> None:
    (source / FOLDER / "data_batch_3").unlink()
    (source / FOLDER / "batches.meta").unlink()
    with pytest.raises(UserError) as caught:
        prepared_info(_spec(source), tmp_path / "cache")
    assert "lacks data_batch_3, batches.meta in " in caught.value.what
    assert "cifar-10-python.tar.gz" in caught.value.todo and str(source) in caught.value.todo
    assert not (tmp_path / "cache").exists()


class _Trap:
    """Unpickling this makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("name", [*BATCHES, "test_batch", "batches.meta"])
def test_no_pickle_is_read_before_its_checksum(source: Path, tmp_path: Path, name: str) -> None:
    marker = tmp_path / "was unpickled"
    (source / FOLDER / name).write_bytes(pickle.dumps(_Trap(marker)))
    with pytest.raises(UserError, match=f"wrong checksum of {name}"):
        prepare_dataset(_spec(source), tmp_path / "cache")
    assert not marker.exists()
    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]


def test_one_flipped_bit_is_found(source: Path, tmp_path: Path) -> None:
    file = source / FOLDER / "data_batch_4"
    content = bytearray(file.read_bytes())
    content[-2000] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="damaged in .* wrong checksum of data_batch_4;"):
        prepare_dataset(_spec(source), tmp_path / "cache")


def test_real_checksums_are_torchvisions() -> None:
    from torchvision.datasets import CIFAR10

    from core.data.cifar10 import SET

    known = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    assert (SET.folder, SET.archive) == (CIFAR10.base_folder, CIFAR10.filename)
    assert sorted(SET.files) == sorted([*known, CIFAR10.meta["filename"]])


@pytest.mark.parametrize("option", [{"size": 16}, {"n": 5}, {"test_fraction": 0.2}])
def test_options_it_has_no_use_for_are_refused(
    source: Path, tmp_path: Path, option: dict[str, float]
) -> None:
    spec = PlainDataSpec("cifar10", root=source, **option)  # type: ignore[arg-type]  # options of every kind
    with pytest.raises(UserError, match=f"data.{next(iter(option))}"):
        prepared_info(spec, tmp_path / "cache")
