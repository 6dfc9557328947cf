"""The same pictures through folder, arrays and parquet: equal banks, equal kept ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picture_files import CLASSES, by_class, encoded, write_folder

from core.data.bank import Dataset, targets_digest
from core.data.prepare import prepare_dataset
from core.spec import Spec
from core.testing.data import PlainDataSpec

SOURCES = ("folder", "arrays", "parquet")


def _written(folder: Path, with_test: bool) -> dict[str, Path]:
    """One root a source, with pictures that a linear model can tell apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    pictures = rng.integers(0, 120, (120, 6, 6, 3), dtype=np.uint8)
    pictures[np.arange(120), :, :, labels] += 90
    order = by_class(120)
    parts = {"train": slice(0, 90), "test": slice(90, 120)} if with_test else {"": slice(0, 120)}
    write_folder(folder / "folder", {part: pictures[rows] for part, rows in parts.items()})
    (folder / "parquet").mkdir()
    arrays: dict[str, Any] = {"classes": np.array(CLASSES)}
    for part, rows in parts.items():
        order = by_class(len(pictures[rows]))
        x, y = pictures[rows][order], labels[rows][order]
        arrays |= {f"x_{part or 'train'}": x, f"y_{part or 'train'}": y}
        table = {"image": [encoded(p) for p in x], "label": [CLASSES[i] for i in y]}
        pq.write_table(pa.table(table), folder / "parquet" / f"{part or 'all'}.parquet")
    np.savez(folder / "arrays.npz", **arrays)
    return {
        "folder": folder / "folder",
        "arrays": folder / "arrays.npz",
        "parquet": folder / "parquet",
    }


def _identity(dataset: Dataset) -> tuple[object, ...]:
    labels = [targets_digest(bank) for bank in dataset.parts().values()]
    return dataset.fingerprint, *labels, dataset.classes, dataset.train.mean, dataset.train.std


@pytest.mark.parametrize("options", [{}, {"test_fraction": 0.3, "validation": 7}])
def test_equal_banks(tmp_path: Path, options: dict[str, Any]) -> None:
    roots = _written(tmp_path, with_test=not options)
    found = {
        name: prepare_dataset(PlainDataSpec(name, root=roots[name], **options), tmp_path / "cache")
        for name in SOURCES
    }
    assert len({_identity(dataset) for dataset in found.values()}) == 1
    assert len({dataset.folder for dataset in found.values()}) == 3


def test_equal_kept_ids(tmp_path: Path, make_spec: Callable[..., Spec]) -> None:
    """Each in a runs folder of its own: in one store they would be one computation."""
    from play import Player

    roots = _written(tmp_path, with_test=True)
    kept = {}
    for name in SOURCES:
        spec = make_spec(
            data={"name": name, "root": str(roots[name])}, subset={"fraction": 0.5},
            baselines=["random"],
        )  # fmt: skip
        story = Player(tmp_path / f"runs-{name}").play(spec)
        kept[name] = {f.name: f.read_bytes() for f in (story.run.path / "kept").iterdir()}
    assert kept["folder"] == kept["arrays"] == kept["parquet"]
    assert len(kept["folder"]) >= 4
