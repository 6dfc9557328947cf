"""Small files in the on-disk format of CIFAR's Python version: pickles written by Python 2.

Python 2 wrote text and pixels alike as byte strings (opcodes U and T), which Python 3's pickler
never emits, and named NumPy's modules as they were in 2009; a reader has to cope with both.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = "cifar-10-batches-py"
FOLDER_100 = "cifar-100-python"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
CLASSES_100 = [f"thing {i:02d}" for i in range(100)]
BATCHES = [f"data_batch_{i}" for i in range(1, 6)]


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]  # the pure-Python one
    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]  # the Python pickler is private

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
        labels = [int(i) % 10 for i in rng.permutation(per_batch)]
        _dump(folder / name, _batch(name, {"labels": labels}, rng))
    names = {"num_cases_per_batch": per_batch, "label_names": CLASSES, "num_vis": 3072}
    _dump(folder / "batches.meta", names)
    return _sums(folder)


def write_cifar100(root: Path, train: int = 200, test: int = 100, seed: int = 0) -> dict[str, str]:
    """The files of CIFAR-100, with fine and coarse labels; returns each file's MD5."""
    folder = root / FOLDER_100
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name, count in (("train", train), ("test", test)):
        fine = [int(i) % 100 for i in rng.permutation(count)]
        labels = {"fine_labels": fine, "coarse_labels": [i // 5 for i in fine]}
        _dump(folder / name, _batch(name, labels, rng))
    coarse = [f"group {i}" for i in range(20)]
    _dump(folder / "meta", {"fine_label_names": CLASSES_100, "coarse_label_names": coarse})
    return _sums(folder)


def write_edm(file: Path, count: int = 60, *, compressed: bool = False, seed: int = 1) -> Path:
    """Generated pictures as the EDM samples are published: one .npz, keys image and label."""
    rng = np.random.default_rng(seed)
    save = np.savez_compressed if compressed else np.savez
    pixels = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    save(file, image=pixels, label=np.arange(count, dtype=np.int64) % 10)
    return file


def pack(root: Path, folder: str, archive: str) -> Path:
    """Move the files into a .tar.gz, as they are published."""
    file = root / archive
    with tarfile.open(file, "w:gz") as packed:
        packed.add(root / folder, folder)
    for inner in (root / folder).iterdir():
        inner.unlink()
    (root / folder).rmdir()
    return file


def publish(monkeypatch: Any, sums: dict[str, str], archive: Path | None = None) -> None:
    """Make the small files' checksums the published ones."""
    from torchvision.datasets import CIFAR10, CIFAR100

    reader, names = (CIFAR10, BATCHES) if "test_batch" in sums else (CIFAR100, ["train"])
    test, meta = ("test_batch", "batches.meta") if reader is CIFAR10 else ("test", "meta")
    monkeypatch.setattr(reader, "train_list", [[name, sums[name]] for name in names])
    monkeypatch.setattr(reader, "test_list", [[test, sums[test]]])
    monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": sums[meta]})
    if archive is not None:
        summed = hashlib.md5(archive.read_bytes()).hexdigest()
        monkeypatch.setattr(reader, "tgz_md5", summed)
        monkeypatch.setattr(reader, "url", archive.as_uri())


def _batch(name: str, labels: dict[str, list[int]], rng: np.random.Generator) -> dict[str, Any]:
    count = len(next(iter(labels.values())))
    return {
        "batch_label": f"batch {name}",
        **labels,
        "data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        "filenames": [f"{name}_{i}.png" for i in range(count)],
    }


def _sums(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.md5(f.read_bytes()).hexdigest() for f in folder.iterdir()}


def _dump(file: Path, content: dict[str, Any]) -> None:
    with file.open("wb") as handle:
        Python2Pickler(handle, protocol=2).dump(content)
