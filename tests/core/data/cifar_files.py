"""Small files in the on-disk format of CIFAR-10's Python version: pickles written by Python 2.

Python 2 wrote text and pixels alike as byte strings (opcodes U and T), which Python 3's pickler
never emits, and named NumPy's modules as they were in 2009; a reader has to cope with both.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = "cifar-10-batches-py"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
BATCHES = [f"data_batch_{i}" for i in range(1, 6)]


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]  # the pure-Python one
    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_bytes(self, value: bytes) -> None:
        if len(value) < 256:
            self.write(b"U" + struct.pack("<B", len(value)) + value)
        else:
            self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    def save_str(self, value: str) -> None:
        self.save_bytes(value.encode("latin1"))

    def save_global(self, value: Any, name: str | None = None) -> None:
        if getattr(value, "__name__", "") == "_reconstruct":
            self.write(b"cnumpy.core.multiarray\n_reconstruct\n")
            self.memoize(value)
        else:
            super().save_global(value, name)

    def save_dtype(self, value: np.dtype[Any]) -> None:
        state = (3, "|", None, None, None, -1, -1, 0)
        self.save_reduce(np.dtype, ("u1", 0, 1), state, obj=value)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_str
    dispatch[type(np.dtype("u1"))] = save_dtype


def write_cifar(root: Path, per_batch: int = 20, seed: int = 0) -> dict[str, str]:
    """Five training batches, a test batch and the names; returns each file's MD5."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name in [*BATCHES, "test_batch"]:
        content = {
            "batch_label": f"batch {name}",
            "labels": [int(i) % 10 for i in rng.permutation(per_batch)],
            "data": rng.integers(0, 256, (per_batch, 3072), dtype=np.uint8),
            "filenames": [f"{name}_{i}.png" for i in range(per_batch)],
        }
        _dump(folder / name, content)
    names = {"num_cases_per_batch": per_batch, "label_names": CLASSES, "num_vis": 3072}
    _dump(folder / "batches.meta", names)
    return {f.name: hashlib.md5(f.read_bytes()).hexdigest() for f in folder.iterdir()}


def publish(monkeypatch: Any, sums: dict[str, str]) -> None:
    """Make the small files' checksums the published ones."""
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in BATCHES])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})


def _dump(file: Path, content: dict[str, Any]) -> None:
    with file.open("wb") as handle:
        Python2Pickler(handle, protocol=2).dump(content)
