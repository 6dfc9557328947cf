"""Conformance kit of dataset plug-ins.

Register the plug-in (entry point ``prunectl.datasets``, or a file in ``core/data``), then::

    class TestMine(DatasetConformance):
        name = "mine"

        def options(self, folder):          # write a small source into `folder`
            ...
            return {"root": folder / "pictures"}
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from core import registry
from core.data._npy import digest
from core.data.bank import Dataset, SampleBank, targets_digest
from core.data.prepare import disk_bytes, prepare_dataset, prepared_info
from core.errors import UserError

HEAVY = ("torch", "torchvision", "sklearn", "scipy", "faiss", "tensorflow")

_PROBE = """
import json, sys
from pathlib import Path
from core.data.prepare import disk_bytes, prepared_info
from core.testing.data import PlainDataSpec
given = json.loads(sys.argv[1])
root = None if given["root"] is None else Path(given["root"])
spec = PlainDataSpec(**{**given, "root": root})
prepared_info(spec, Path(sys.argv[2])), disk_bytes(spec)
print(json.dumps([name for name in sys.argv[3:] if name in sys.modules]))
"""


@dataclass(frozen=True)
class PlainDataSpec:
    """The ``data`` section of a spec without its validation."""

    name: str
    root: Path | None = None
    size: int | None = None
    n: int | None = None
    seed: int = 0
    test_fraction: float | None = None
    validation: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)


class DatasetConformance:
    """What every dataset keeps. Subclass it in a test module and pytest runs it."""

    name: str

    def options(self, folder: Path) -> dict[str, Any]:
        """Write a small source into ``folder`` and return the keys of ``data`` that select it."""
        return {}

    def spec(self, tmp_path: Path) -> PlainDataSpec:
        folder = tmp_path / "source"
        folder.mkdir()
        return PlainDataSpec(name=self.name, **self.options(folder))

    def test_describes_itself(self) -> None:
        about = registry.describe("dataset", self.name)
        if not about.doc:
            raise AssertionError(f"{about.file} has no docstring")
        silent = [param.name for param in about.params if not param.help]
        if silent:
            raise AssertionError(f"options without a text after them: {silent}")

    def test_banks_are_whole(self, tmp_path: Path) -> None:
        dataset = prepare_dataset(self.spec(tmp_path), tmp_path / "cache")
        for part, bank in dataset.parts().items():
            _expect_bank(part, bank, dataset)
        present = set(np.unique(dataset.train.targets).tolist()) - {-1}
        expect(present == set(range(len(dataset.classes))), "every class has training samples")
        expect(bool((dataset.test.targets >= 0).all()), "every test sample has a label")

    def test_depends_only_on_its_source(self, tmp_path: Path) -> None:
        spec = self.spec(tmp_path)
        first = prepare_dataset(spec, tmp_path / "cache")
        again = prepare_dataset(spec, tmp_path / "other cache")
        expect(first.fingerprint == again.fingerprint, "the same source gives the same inputs")
        for part, bank in first.parts().items():
            same = targets_digest(bank) == targets_digest(again.parts()[part])
            expect(same, f"the same source gives the same {part} labels")

    def test_is_prepared_once(self, tmp_path: Path) -> None:
        spec = self.spec(tmp_path)
        expect(prepared_info(spec, tmp_path / "cache") is None, "nothing is known beforehand")
        first = prepare_dataset(spec, tmp_path / "cache")
        inode = (first.folder / "train" / "inputs.npy").stat().st_ino
        again = prepare_dataset(spec, tmp_path / "cache")
        expect(first.folder == again.folder, "the cache key is stable")
        kept = (again.folder / "train" / "inputs.npy").stat().st_ino == inode
        expect(kept, "the second time nothing is written")
        info = prepared_info(spec, tmp_path / "cache")
        expect(info is not None and info["n_train"] == len(first.train), "its size is known")

    def test_validation_leaves_train(self, tmp_path: Path) -> None:
        spec = self.spec(tmp_path)
        whole = prepare_dataset(spec, tmp_path / "cache")
        held = prepare_dataset(replace(spec, validation=1), tmp_path / "cache")
        expect(held.validation is not None and len(held.validation) == 1, "one is held out")
        expect(len(held.train) == len(whole.train) - 1, "it has left train")
        expect(held.test.fingerprint == whole.test.fingerprint, "test is untouched")

    def test_front_ends_can_ask(self, tmp_path: Path) -> None:
        """Looking a dataset up, prepared or not, loads no heavy package."""
        spec = self.spec(tmp_path)
        given = {**vars(spec), "root": None if spec.root is None else str(spec.root)}
        command = [sys.executable, "-c", _PROBE, json.dumps(given), str(tmp_path / "cache")]
        done = subprocess.run([*command, *HEAVY], capture_output=True, text=True, timeout=60)
        expect(done.returncode == 0, f"files() and disk_bytes() work: {done.stderr}")
        expect(json.loads(done.stdout) == [], f"nothing heavy is imported: {done.stdout}")

    def test_estimates_its_size(self, tmp_path: Path) -> None:
        spec = self.spec(tmp_path)
        expect(disk_bytes(spec) > 0, "the estimate is positive")

    def test_missing_root_is_one_line(self, tmp_path: Path) -> None:
        spec = self.spec(tmp_path)
        if spec.root is None:
            return
        try:
            prepare_dataset(replace(spec, root=tmp_path / "nowhere"), tmp_path / "cache")
        except UserError as error:
            expect("\n" not in str(error) and error.todo != "", "it says in one line what to do")
            expect(str(tmp_path / "nowhere") in str(error), "it names the place")
            expect(not (tmp_path / "cache").exists(), "nothing is written")
        else:
            raise AssertionError("a missing root goes unnoticed")


def expect(truth: bool, what: str) -> None:
    """AssertionError naming the broken promise; works under ``python -O`` too."""
    if not truth:
        raise AssertionError(f"not so: {what}")


def _expect_bank(part: str, bank: SampleBank, dataset: Dataset) -> None:
    inputs, number = bank.inputs, len(bank)
    images = inputs.dtype == np.uint8 and inputs.ndim == 4
    vectors = inputs.dtype == np.float32 and inputs.ndim == 2
    expect(images or vectors, f"{part} is uint8 [N,H,W,C] or float32 [N,D]")
    expect(inputs.flags.c_contiguous and not inputs.flags.writeable, f"{part} is a read-only map")
    expect(bank.targets.dtype == np.int64 and bank.targets.shape == (number,), f"{part} labels")
    expect(bank.input_shape == dataset.train.input_shape, f"{part} has train's input shape")
    expect(bank.classes == dataset.classes, f"{part} has train's classes")
    expect(
        bank.mean == dataset.train.mean and bank.std == dataset.train.std,
        f"{part} has train's scale",
    )
    expect(len(bank.mean) == bank.input_shape[0] and min(bank.std) > 0, f"{part} has a scale")
    expect(bank.fingerprint == digest(inputs), f"{part}'s fingerprint is that of its inputs")
    for column in (bank.path, bank.source, bank.truth):
        expect(column is None or len(column) == number, f"{part} columns have its length")
