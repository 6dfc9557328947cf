"""Parquet files of pictures: bytes, structs, paths; labels as numbers or names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picture_files import encoded, pixels, save

from core.data import _decode
from core.data.bank import Dataset
from core.data.prepare import disk_bytes, prepare_dataset
from core.errors import Stopped, UserError
from core.testing.data import PlainDataSpec

TRAIN, TEST = pixels(22), pixels(6, seed=1)


def _table(pictures: np.ndarray, **columns: Any) -> dict[str, Any]:
    labels = [i % 3 for i in range(len(pictures))]
    return {"image": [encoded(p) for p in pictures], "label": labels, **columns}


def _write(file: Path, columns: dict[str, Any], rows: int = 5, about: Any = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if about is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    pq.write_table(table, file, row_group_size=rows)
    return file


def _prepare(root: Path, **options: Any) -> Dataset:
    cache = (root.parent if root.is_file() else root) / "cache"
    workers = options.pop("workers", None)
    return prepare_dataset(PlainDataSpec("parquet", root=root, **options), cache, workers=workers)


def _refusal(root: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        _prepare(root, **options)
    assert "\n" not in str(caught.value) and caught.value.todo
    return str(caught.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_bytes_in_several_files(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_decode, "CHUNK_ROWS", 4)
    _write(tmp_path / "train-1.parquet", _table(TRAIN[:9]))
    _write(tmp_path / "train-2.parquet", _table(TRAIN[9:18]))
    _write(tmp_path / "test.parquet", _table(TEST))
    dataset = _prepare(tmp_path, workers=workers)
    assert np.array_equal(dataset.train.inputs, TRAIN[:18])
    assert np.array_equal(dataset.test.inputs, TEST)
    assert dataset.train.targets.tolist() == [0, 1, 2] * 6
    assert dataset.classes == ("0", "1", "2") and dataset.train.path is None


def test_hugging_face_layout(tmp_path: Path) -> None:
    """data/train-*.parquet and validation-*, structs of bytes and path, names in the metadata."""
    features = {"label": {"names": ["ant", "bee", "cat"], "_type": "ClassLabel"}}
    for part, pictures in (("train", TRAIN), ("validation", TEST)):
        structs = [{"bytes": encoded(p), "path": f"{i}.png"} for i, p in enumerate(pictures)]
        columns = _table(pictures, image=structs)
        name = f"{part}-00000-of-00001.parquet"
        _write(tmp_path / "data" / name, columns, about={"info": {"features": features}})
    dataset = _prepare(tmp_path)
    assert np.array_equal(dataset.train.inputs, TRAIN) and len(dataset.test) == 6
    assert dataset.classes == ("ant", "bee", "cat")
    assert dataset.train.path is not None and dataset.train.path[21] == "21.png"


def test_paths_and_names_in_one_file(tmp_path: Path) -> None:
    names = []
    for i, picture in enumerate(TRAIN):
        names.append(f"pictures/{i}.png")
        save(tmp_path / names[-1], picture)
    kinds = [("owl", "ant")[i % 2] for i in range(22)]
    file = _write(tmp_path / "mine.parquet", {"path": names, "kind": kinds})
    dataset = _prepare(file, test_fraction=0.5, params={"label": "kind"})
    assert dataset.classes == ("ant", "owl") and dataset.train.path is not None
    for bank in (dataset.train, dataset.test):
        assert bank.path is not None and np.bincount(bank.targets).max() == 6
        rows = [names.index(path) for path in bank.path]
        assert np.array_equal(bank.inputs, TRAIN[rows])
        assert bank.targets.tolist() == [1 - row % 2 for row in rows]
    assert disk_bytes(PlainDataSpec("parquet", root=file, test_fraction=0.5)) == 22 * 200


def test_resumed_in_the_middle_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_decode, "CHUNK_ROWS", 4)
    file = _write(tmp_path / "mine.parquet", _table(TRAIN), rows=7)
    spec = PlainDataSpec("parquet", root=file, test_fraction=0.3)

    def stop(done: int, total: int) -> None:
        if done >= 12:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        prepare_dataset(spec, tmp_path / "cache", stop, workers=1)
    resumed = prepare_dataset(spec, tmp_path / "cache", workers=1)
    whole = prepare_dataset(spec, tmp_path / "other", workers=1)
    assert resumed.fingerprint == whole.fingerprint


def test_broken_pictures(tmp_path: Path) -> None:
    columns = _table(TRAIN)
    columns["image"][3] = None
    columns["image"][20] = columns["image"][20][:50]
    file = _write(tmp_path / "mine.parquet", columns)
    said = _refusal(file, test_fraction=0.2)
    assert (
        "2 pictures of 22 cannot be read: mine.parquet row 3 (empty), mine.parquet row 20" in said
    )
    dataset = _prepare(file, test_fraction=0.2, params={"skip_broken": True})
    assert len(dataset.train) + len(dataset.test) == 20


def test_what_is_wrong_with_the_files(tmp_path: Path) -> None:
    assert "needs data.root" in _said(None)
    assert "there is no file or folder" in _said(tmp_path / "nowhere")
    assert "there are no .parquet files in" in _said(tmp_path)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    assert "not a readable Parquet file" in _said(tmp_path / "torn.parquet")
    whole = _write(tmp_path / "mine.parquet", _table(TRAIN))
    assert "did you mean 'image'?" in _refusal(whole, test_fraction=0.2, params={"image": "imag"})
    assert "brings no test set" in _refusal(whole)
    wrong = [
        ({"x": [1], "label": [0]}, "none of the columns image"),
        ({"image": [b"x"], "kind": [0]}, "set data.label to one of its columns: image, kind"),
        ({"image": [1.5], "label": [0]}, "column 'image' of"),
        ({"image": [b"x", b"y"], "label": [0, None]}, "1 label missing in"),
        ({"image": [b"x"], "label": [0.5]}, "labels of wrong.parquet are float"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "no rows in"),
    ]
    for columns, message in wrong:
        file = _write(tmp_path / "wrong.parquet", columns)
        assert message in _refusal(file, test_fraction=0.5, size=8)


def _said(root: Path | None) -> str:
    with pytest.raises(UserError) as caught:
        disk_bytes(PlainDataSpec("parquet", root=root, test_fraction=0.5))
    return str(caught.value)


def test_a_class_only_in_test(tmp_path: Path) -> None:
    _write(tmp_path / "train.parquet", _table(TRAIN, label=["ant", "bee"] * 11))
    _write(tmp_path / "test.parquet", _table(TEST, label=["ant", "bees"] * 3))
    said = _refusal(tmp_path)
    assert "1 class is only in test, not in train: bees" in said and "'bee'" in said
