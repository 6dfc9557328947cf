"""The one representation of data: memory-mapped arrays whose row number is the sample's id.

A dataset on disk is a folder: ``dataset.json`` (written last) and one sub-folder per part, each
with ``inputs.npy``, ``targets.npy``, ``statistics.npy``, optional columns, and ``bank.json``.
Nothing here needs more than NumPy, so front ends may read pictures and labels too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data import _npy as npy
from core.errors import MachineError
from core.files import fsync_file, fsync_folder, read_json, write_json

FORMAT = 2
"""Raised whenever the same source would be written as other bytes; part of the cache key."""

Ids = npt.NDArray[np.int64]
REAL, GENERATED = 0, 1
"""Values of the column ``source``."""
_PARTS = ("train", "test", "validation")
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError)


@dataclass(frozen=True, eq=False)
class Samples:
    """What a source has read: images uint8 [N,H,W,C] or vectors float32 [N,D], and labels [N]."""

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    path: Sequence[str] | None = None
    source: npt.NDArray[Any] | None = None
    truth: npt.NDArray[Any] | None = None


@dataclass(frozen=True)
class Written:
    """Inputs that already lie in an .npy on the bank's disk, and their fingerprint."""

    file: Path
    fingerprint: str


@dataclass(frozen=True, eq=False)
class SampleBank:
    """N samples; a sample's id is its row.

    ``inputs``: uint8 [N,H,W,C] or float32 [N,D], a read-only memory map. ``targets``: int64 [N], -1
    is unlabelled. ``mean``, ``std``: of the *training* part's inputs, per channel of inputs/255 for
    images (length C), per feature for vectors (length D); the std of a constant is 1. Population
    standard deviation. ``fingerprint``: SHA-256 over dtype, shape and bytes of the inputs; targets
    are not in it (see :func:`targets_digest`). Optional columns of length N: ``path``, ``source``,
    ``truth``, and ``row``: int64, the sample's row in the source's part, where rows were left out.
    """

    inputs: npt.NDArray[Any]
    targets: Ids
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    path: Sequence[str] | None = None
    source: npt.NDArray[Any] | None = None
    truth: npt.NDArray[Any] | None = None
    row: Ids | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def is_images(self) -> bool:
        return self.inputs.ndim == 4

    @property
    def input_shape(self) -> tuple[int, ...]:
        """What a model is built for: (C, H, W) or (D,)."""
        if not self.is_images:
            return (int(self.inputs.shape[1]),)
        height, width, channels = self.inputs.shape[1:]
        return (int(channels), int(height), int(width))


@dataclass(frozen=True, eq=False)
class Dataset:
    """The parts of a dataset. Ids always mean rows of ``train``; ``fingerprint`` joins theirs."""

    name: str
    train: SampleBank
    test: SampleBank
    validation: SampleBank | None
    fingerprint: str
    folder: Path

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes

    def parts(self) -> dict[str, SampleBank]:
        """The banks by name, in a fixed order."""
        banks = {"train": self.train, "test": self.test}
        return banks if self.validation is None else {**banks, "validation": self.validation}


def write_bank(
    folder: Path,
    samples: Samples,
    classes: Sequence[str],
    statistics: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    ids: Ids | None = None,
    advance: Callable[[int], None] | None = None,
    written: Written | None = None,
) -> SampleBank:
    """Write the rows ``ids`` (all when None, in that order) and open them again.

    ``statistics``: (mean, std) of the training part. ``advance`` is told the number of
    rows after each block. ``written``: exactly these rows' inputs, whose file becomes the bank's.
    Memory: one block. OSError when the disk refuses.
    """
    folder.mkdir(parents=True)
    ids = np.arange(len(samples.inputs), dtype=np.int64) if ids is None else ids
    targets = np.asarray(samples.targets[ids], dtype=np.int64)
    if written is None:
        fingerprint = _write_inputs(folder, samples.inputs, ids, advance)
    else:
        fingerprint = _take_over(folder, written)
        if advance is not None:
            advance(len(ids))
    npy.write_whole(folder / "targets.npy", targets)
    npy.write_whole(folder / "statistics.npy", np.stack(statistics))
    columns = [c for c in ("path", "source", "truth") if getattr(samples, c) is not None]
    if samples.path is not None:
        npy.write_texts(folder / "path.npy", [samples.path[int(i)] for i in ids])
    for column in set(columns) - {"path"}:
        npy.write_whole(folder / f"{column}.npy", np.asarray(getattr(samples, column))[ids])
    if not np.array_equal(ids, np.arange(len(samples.inputs))):
        npy.write_whole(folder / "row.npy", np.asarray(ids, dtype=np.int64))
        columns.append("row")
    about = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "targets": npy.digest(targets),
        "classes": list(classes),
        "columns": columns,
    }
    write_json(folder / "bank.json", about)
    fsync_folder(folder)
    return _open_bank(folder)


def _write_inputs(
    folder: Path, inputs: npt.NDArray[Any], ids: Ids, advance: Callable[[int], None] | None
) -> str:
    """Write rows block by block; their fingerprint."""
    shape = (len(ids), *inputs.shape[1:])
    sha = npy.array_hash(inputs.dtype, shape)

    def hashed(hasher: Executor) -> Iterator[npt.NDArray[Any]]:
        for rows in npy.blocks(inputs, ids):
            hashing = hasher.submit(sha.update, rows.data)
            yield rows
            hashing.result()
            if advance is not None:
                advance(len(rows))

    with ThreadPoolExecutor(1) as hasher:  # hashes a block while it is written
        npy.write_array(folder / "inputs.npy", inputs.dtype, shape, hashed(hasher))
    return sha.hexdigest()


def _take_over(folder: Path, written: Written) -> str:
    """A second name for the file, so that its first owner still has it when all this fails."""
    fsync_file(written.file)
    try:
        os.link(written.file, folder / "inputs.npy")
    except OSError:  # not every file system knows links
        written.file.rename(folder / "inputs.npy")
    return written.fingerprint


def seal_dataset(folder: Path, name: str) -> Dataset:
    """Write ``dataset.json`` over the banks already in ``folder``, and open the whole."""
    parts = [part for part in _PARTS if (folder / part / "bank.json").is_file()]
    prints = [_about(folder / part / "bank.json")["fingerprint"] for part in parts]
    about = {"format": FORMAT, "name": name, "parts": parts, "fingerprint": _joined(prints)}
    write_json(folder / "dataset.json", about)
    fsync_folder(folder)
    return open_dataset(folder)


def open_dataset(folder: Path) -> Dataset:
    """Open a prepared dataset: labels in memory, inputs and columns mapped.

    Sizes, shapes, labels and the joined fingerprint are checked, the inputs' bytes are not
    (:func:`verify_inputs`). MachineError when the folder holds no whole dataset.
    """
    try:
        about = _about(folder / "dataset.json")
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']}, this program reads {FORMAT}")
        banks = {part: _open_bank(folder / part) for part in _PARTS if part in about["parts"]}
        if about["fingerprint"] != _joined([bank.fingerprint for bank in banks.values()]):
            raise ValueError("its parts do not belong together")
        return Dataset(
            name=about["name"],
            train=banks["train"],
            test=banks["test"],
            validation=banks.get("validation"),
            fingerprint=about["fingerprint"],
            folder=folder,
        )
    except _UNREADABLE as error:
        raise _damaged(folder, str(error).partition("\n")[0]) from error


def verify_inputs(dataset: Dataset) -> None:
    """Read all inputs and compare with the fingerprints. MachineError when a byte differs."""
    for part, bank in dataset.parts().items():
        if npy.digest(bank.inputs) != bank.fingerprint:
            raise _damaged(dataset.folder, f"{part}/inputs.npy has changed")


def targets_digest(bank: SampleBank, ids: npt.ArrayLike | None = None) -> str:
    """SHA-256 (hex) of the labels of ``ids`` [m] in the order given (None: all).

    A stage hashes the labels it reads and no others, so that labels added later change only the
    stages that read them. IndexError when an id is outside 0..N-1.
    """
    rows = np.arange(len(bank), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= len(bank)):
        raise IndexError(f"ids must lie in 0..{len(bank) - 1}")
    return npy.digest(bank.targets[rows])


def _open_bank(folder: Path) -> SampleBank:
    about = _about(folder / "bank.json")
    inputs = np.load(folder / "inputs.npy", mmap_mode="r", allow_pickle=False)
    targets = npy.load(folder / "targets.npy")
    mean, std = npy.load(folder / "statistics.npy").tolist()
    if npy.digest(targets) != about["targets"] or len(targets) != len(inputs):
        raise ValueError(f"{folder.name}/targets.npy has changed")
    columns: dict[str, Any] = {}
    for column in about["columns"]:
        file = folder / f"{column}.npy"
        columns[column] = npy.read_texts(file) if column == "path" else npy.load_mapped(file)
        if len(columns[column]) != len(inputs):
            raise ValueError(f"{folder.name}/{column} has another length")
    return SampleBank(
        inputs=inputs,
        targets=targets,
        classes=tuple(about["classes"]),
        mean=tuple(mean),
        std=tuple(std),
        fingerprint=about["fingerprint"],
        **columns,
    )


def _about(file: Path) -> dict[str, Any]:
    value = read_json(file)
    if not isinstance(value, dict):
        raise ValueError(f"{file.name} is missing or unreadable")
    return value


def _joined(fingerprints: Sequence[str]) -> str:
    return hashlib.sha256("/".join(fingerprints).encode()).hexdigest()


def _damaged(folder: Path, why: str) -> MachineError:
    what = f"the prepared data in {folder} is damaged ({why})"
    return MachineError(what, "delete that folder; it is made again from the source")
