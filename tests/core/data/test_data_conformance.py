"""Every built-in dataset goes through the kit that third parties use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cifar_files import publish, write_cifar, write_cifar100, write_edm
from picture_files import pixels, write_folder, write_parquet

from core import registry
from core.data import arrays
from core.testing.data import DatasetConformance


def _arrays(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
    y = np.arange(50) % 4
    np.savez(folder / "mine.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    return {"root": folder / "mine.npz"}


@pytest.mark.parametrize("name", registry.names("dataset"), scope="class")
class TestBuiltIn(DatasetConformance):
    @pytest.fixture(autouse=True)
    def _chosen(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name = name
        self.monkeypatch = monkeypatch

    def options(self, folder: Path) -> dict[str, Any]:
        if self.name == "arrays":
            return _arrays(folder)
        if self.name == "cifar10":
            publish(self.monkeypatch, write_cifar(folder))
            return {"root": folder}
        if self.name == "folder":
            write_folder(folder, {"train": pixels(20), "test": pixels(6, seed=1)})
            return {"root": folder}
        if self.name == "cifar100":
            publish(self.monkeypatch, write_cifar100(folder))
            return {"root": folder}
        if self.name == "synthetic_cifar":
            publish(self.monkeypatch, write_cifar(folder))
            return {"root": write_edm(folder / "edm.npz"), "params": {"real_root": str(folder)}}
        if self.name == "parquet":
            for part, pictures in (("train", pixels(20)), ("test", pixels(6, seed=1))):
                write_parquet(folder / f"{part}.parquet", pictures)
            return {"root": folder}
        if self.name == "procedural":
            return {"n": 120, "size": 8, "params": {"n_test": 30}}
        return {}


def test_they_are_found() -> None:
    expected = {"arrays", "cifar10", "digits", "folder", "parquet", "procedural"}
    assert expected <= set(registry.names("dataset"))
    helpers = {"assemble", "bank", "base", "checks", "locations", "prepare", "truth"}
    assert not helpers & set(registry.names("dataset"))


class _Arrays(DatasetConformance):
    name = "arrays"

    def options(self, folder: Path) -> dict[str, Any]:
        return _arrays(folder)


def test_kit_catches_an_empty_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "disk_bytes", lambda root, data: 0)
    with pytest.raises(AssertionError, match="estimate"):
        _Arrays().test_estimates_its_size(tmp_path)


def test_kit_catches_a_drifting_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, calls = arrays._read, [0]

    def drifting(file: Path, need_test: bool) -> dict[str, Any]:
        calls[0] += 1
        found = read(file, need_test)
        return {**found, "x_train": found["x_train"] + np.uint8(calls[0])}

    monkeypatch.setattr(arrays, "_read", drifting)
    with pytest.raises(AssertionError, match="same source"):
        _Arrays().test_depends_only_on_its_source(tmp_path)


def test_kit_catches_a_missing_root_that_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    real = _arrays(tmp_path / "real")["root"]
    monkeypatch.setattr(arrays, "files", lambda root, data: [real])
    with pytest.raises(AssertionError, match="goes unnoticed"):
        _Arrays().test_missing_root_is_one_line(tmp_path)
