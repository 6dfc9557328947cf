"""Folders of pictures: layouts, order of ids, names, and one line for whatever is wrong."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import CLASSES, by_class, pixels, save, write_folder

from core.data import _decode, _scan
from core.data.bank import Dataset
from core.data.prepare import disk_bytes, prepare_dataset, prepared_folder
from core.errors import UserError
from core.testing.data import PlainDataSpec

TRAIN, TEST = pixels(21), pixels(6, seed=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_folder(tmp_path / "mine", {"train": TRAIN, "test": TEST})
    return tmp_path / "mine"


def _prepare(root: Path, **options: object) -> Dataset:
    spec = PlainDataSpec("folder", root=root, **options)  # type: ignore[arg-type]  # options of mixed types
    return prepare_dataset(spec, root.parent / "cache")


def _refusal(root: Path, **options: object) -> str:
    cache = root.parent / "cache"
    before = _datasets(cache)
    with pytest.raises(UserError) as caught:
        _prepare(root, **options)
    assert "\n" not in str(caught.value) and caught.value.todo
    assert _datasets(cache) == before
    return str(caught.value)


def _datasets(cache: Path) -> set[str]:
    """What lies there but locks and decoded pictures, which the next attempt takes over."""
    names = {p.name for p in cache.glob("*")}
    return {n for n in names if not n.endswith(".lock") and not n.startswith(".decode-")}


def test_ids_follow_classes_and_paths(root: Path) -> None:
    dataset = _prepare(root)
    order = by_class(21)
    assert dataset.classes == CLASSES
    assert np.array_equal(dataset.train.inputs, TRAIN[order])
    assert dataset.train.targets.tolist() == (order % 3).tolist()
    assert np.array_equal(dataset.test.inputs, TEST[by_class(6)])
    assert dataset.train.path is not None and dataset.test.path is not None
    assert dataset.train.path[1] == "train/bee/a b 0003.png"
    assert all((root / path).is_file() for path in (*dataset.train.path, *dataset.test.path))
    assert not list((root.parent / "cache").glob(".decode-*[!k]"))  # only the lock is left


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_serves_as_test(root: Path, name: str) -> None:
    expected = _prepare(root).fingerprint
    (root / "test").rename(root / name)
    assert _prepare(root).fingerprint == expected


def test_the_test_folder_can_be_named(root: Path) -> None:
    expected = _prepare(root).fingerprint
    (root / "test").rename(root / "probe")
    assert "data.test_fraction" in _refusal(root)
    assert _prepare(root, params={"test_folder": "probe"}).fingerprint == expected
    assert "did you mean 'probe'?" in _refusal(root, params={"test_folder": "prob"})


def test_a_split_takes_the_same_share_of_every_class(tmp_path: Path) -> None:
    names = write_folder(tmp_path / "mine", {"": TRAIN})[""]
    for extra in range(9):
        save(tmp_path / "mine" / "bee" / f"more {extra}.png", TRAIN[0])
    dataset = _prepare(tmp_path / "mine", test_fraction=0.3)
    assert np.bincount(dataset.test.targets).tolist() == [5, 2, 2]  # of 16, 7, 7: 4.8, 2.1, 2.1
    assert len(dataset.train) == 21
    assert dataset.train.path is not None and dataset.test.path is not None
    assert set(names) < {*dataset.train.path, *dataset.test.path}
    other = _prepare(tmp_path / "mine", test_fraction=0.3, seed=1)
    assert other.test.path is not None and set(other.test.path) != set(dataset.test.path)


def test_a_class_called_train_is_a_class(tmp_path: Path) -> None:
    write_folder(tmp_path / "mine", {"": TRAIN}, classes=("bus", "train"))
    assert _prepare(tmp_path / "mine", test_fraction=0.2).classes == ("bus", "train")


def test_odd_names_and_deep_folders(root: Path) -> None:
    bee = root / "train" / "bee"
    odd = ["a 'b' \"c\".png", "new\nline.PNG", os.fsdecode(b"latin \xe9.png"), "deep/er/x.png"]
    for i, name in enumerate(odd):
        save(bee / f"{i}.png", TRAIN[i])
        (bee / name).parent.mkdir(parents=True, exist_ok=True)
        (bee / f"{i}.png").rename(bee / name)
    (bee / "deep" / "back").symlink_to(bee)
    (bee / ".hidden.png").write_bytes(b"")
    (bee / "notes.txt").write_text("not a picture")
    dataset = _prepare(root)
    assert dataset.train.path is not None and len(dataset.train) == 25
    row = {path: i for i, path in enumerate(dataset.train.path)}
    for i, name in enumerate(odd):
        assert np.array_equal(dataset.train.inputs[row[f"train/bee/{name}"]], TRAIN[i])


def test_size_brings_all_to_one_square_and_without_it_sizes_must_agree(root: Path) -> None:
    save(root / "train" / "cat" / "z.jpg", pixels(1, side=40)[0][:20])
    assert _prepare(root, size=8).train.inputs.shape == (22, 8, 8, 3)
    said = _refusal(root)
    assert "'train/cat/z.jpg' is 40x20, the first picture 8x8" in said and "data.size" in said


def test_grey(root: Path) -> None:
    spec = PlainDataSpec("folder", root=root, params={"colour": "grey"})
    assert prepare_dataset(spec, root.parent / "cache").train.inputs.shape == (21, 8, 8, 1)
    assert disk_bytes(spec) == 27 * (8 * 8 + 8)
    assert disk_bytes(replace(spec, size=16, params={})) == 27 * (16 * 16 * 3 + 8)


def _break_three(root: Path) -> None:
    (root / "train" / "bee" / "a b 0000.png").write_bytes(b"")
    whole = (root / "train" / "cat" / "a b 0001.png").read_bytes()
    (root / "train" / "cat" / "a b 0001.png").write_bytes(whole[:60])
    (root / "test" / "bee" / "new\nline.png").symlink_to("nowhere")


def test_broken_pictures_are_named_and_counted(root: Path) -> None:
    _break_three(root)
    said = _refusal(root)
    assert "3 pictures of 28 cannot be read: train/bee/a b 0000.png (empty)" in said
    assert "test/bee/new\\nline.png (missing)" in said and "data.skip_broken=true" in said


def test_broken_pictures_are_left_out_and_listed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_three(root)
    _refusal(root)

    def unwanted(*_: object) -> None:
        raise AssertionError("decoded twice")

    monkeypatch.setattr("core.data._crew.decode_chunk", unwanted)
    dataset = _prepare(root, params={"skip_broken": True})  # takes over what was decoded before
    kept = [i for i in by_class(21) if i not in (0, 1)]
    assert np.array_equal(dataset.train.inputs, TRAIN[kept])
    assert np.array_equal(dataset.test.inputs, TEST[by_class(6)])
    listed = (dataset.folder / "broken.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in listed] == [
        "train/bee/a b 0000.png", "train/cat/a b 0001.png", "test/bee/new\\nline.png",
    ]  # fmt: skip


def test_a_class_of_broken_pictures_is_named(root: Path) -> None:
    for file in (root / "train" / "cat").iterdir():
        file.write_bytes(b"x")
    assert "1 class without training samples: 'cat'" in _refusal(root, params={"skip_broken": True})


def test_a_first_broken_picture_does_not_set_the_size(root: Path) -> None:
    (root / "train" / "bee" / "a b 0000.png").write_bytes(b"")
    dataset = _prepare(root, params={"skip_broken": True})
    assert dataset.train.inputs.shape == (20, 8, 8, 3)


def test_the_key_follows_names_sizes_and_times(root: Path) -> None:
    spec, cache = PlainDataSpec("folder", root=root), root.parent / "cache"
    before = prepared_folder(spec, cache)
    assert prepared_folder(replace(spec, root=root / ".." / "mine"), cache) == before
    file = root / "test" / "bee" / "a b 0000.png"
    os.utime(file, (1, 1))
    touched = prepared_folder(spec, cache)
    file.rename(file.with_name("b.png"))
    assert len({before, touched, prepared_folder(spec, cache)}) == 3


def test_what_is_wrong_with_a_folder(root: Path) -> None:
    assert "needs data.root" in str(_error(None))
    assert "there is no folder" in _refusal(root / "nowhere")
    assert "is not a folder" in _refusal(root / "train" / "bee" / "a b 0000.png")
    assert "no meaning for folder" in _refusal(root, n=5)
    assert "has its own test set" in _refusal(root, test_fraction=0.2)
    (root / "train" / "empty").mkdir()
    said = _refusal(root)
    assert f"1 class folder without pictures in {root / 'train'}: 'empty'" in said
    (root / "train" / "empty").rmdir()
    (root / "test" / "empty").mkdir()  # a class that is in no part is no class
    save(root / "test" / "dog" / "x.png", TEST[0])
    assert "1 class is only in test, not in train: 'dog'" in _refusal(root)
    save(root / "train" / "x.png", TEST[0])
    assert "1 picture outside any class folder in" in _refusal(root)


def test_no_pictures_at_all(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    (bare / "some").mkdir(parents=True)
    for name in ("a.tif", "b.tif", "notes.txt"):
        (bare / "some" / name).write_text("x")
    assert "it holds 2 .tif, 1 .txt" in _refusal(bare)
    save(bare / "some" / "a.png", TEST[0])
    assert "there are 1 classes" in _refusal(bare, test_fraction=0.5)
    (bare / "some" / "a.png").write_bytes(b"x")
    save(bare / "other" / "a.png", TEST[0])
    (bare / "other" / "a.png").write_bytes(b"x")
    said = _refusal(bare, test_fraction=0.5)
    assert "none of the first 2 pictures can be read ('other/a.png': not a PNG" in said


def _error(root: Path | None) -> UserError:
    with pytest.raises(UserError) as caught:
        disk_bytes(PlainDataSpec("folder", root=root))
    return caught.value


def test_many_small_classes_keep_one_each(tmp_path: Path) -> None:
    write_folder(tmp_path / "mine", {"": TRAIN[:20]}, classes=tuple("abcdefghij"))
    said = _refusal(tmp_path / "mine", test_fraction=0.8)
    assert "16 samples cannot be held out of 20 with one of each class left" in said
    dataset = _prepare(tmp_path / "mine", test_fraction=0.5)
    assert np.bincount(dataset.train.targets).tolist() == [1] * 10
    held = _prepare(tmp_path / "mine", test_fraction=0.25, validation=5)
    assert held.validation is not None
    assert np.bincount(held.train.targets, minlength=10).min() == 1


def test_chunks_do_not_show(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _prepare(root).fingerprint
    monkeypatch.setattr(_decode, "CHUNK_ROWS", 4)
    spec = PlainDataSpec("folder", root=root)
    assert prepare_dataset(spec, root.parent / "other", workers=1).fingerprint == whole


@pytest.mark.parametrize("parts", [True, False])
def test_pictures_without_a_label_come_last(root: Path, parts: bool) -> None:
    base, options = (root, {}) if parts else (root / "train", {"test_fraction": 0.2})
    for row, name in enumerate(("z.png", "deep/a 'b'.png")):
        (base / "new" / name).parent.mkdir(parents=True, exist_ok=True)
        save(base / "new" / name, TRAIN[row])
    dataset = _prepare(base, params={"unlabelled": "new"}, **options)
    assert dataset.classes == CLASSES
    assert dataset.train.targets[-2:].tolist() == [-1, -1] and dataset.train.targets[:-2].min() == 0
    assert dataset.test.targets.min() == 0
    assert dataset.train.path is not None
    assert list(dataset.train.path[-2:]) == ["new/deep/a 'b'.png", "new/z.png"]
    assert np.array_equal(dataset.train.inputs[-2:], TRAIN[[1, 0]])


def test_a_folder_of_unlabelled_pictures_must_be_one(root: Path) -> None:
    (root / "new").mkdir()
    assert "there are no pictures in" in _refusal(root, params={"unlabelled": "new"})
    assert "did you mean 'new'?" in _refusal(root, params={"unlabelled": "neu"})
    assert "'train' is no folder for it" in _refusal(root, params={"unlabelled": "train"})


def test_a_folder_is_looked_through_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    honest = os.scandir

    def counted(path: str) -> Any:
        looks.append(str(path))
        return honest(path)

    monkeypatch.setattr(_scan.os, "scandir", counted)
    dataset = _prepare(root)
    in_source = [look for look in looks if Path(look).is_relative_to(root)]
    assert len(in_source) == len(set(in_source)) == 2 * (1 + len(CLASSES))
    save(root / "train" / "bee" / "new.png", TRAIN[0])  # the next preparation looks again
    assert len(_prepare(root).train) == len(dataset.train) + 1
