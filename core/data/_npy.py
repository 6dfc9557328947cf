"""Arrays to and from disk, block by block, each file synced before anybody relies on it."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

_BLOCK_BYTES = 16 << 20


class Texts(Sequence[str]):
    """N strings as one UTF-8 blob and N+1 offsets, decoded when asked for: a million paths are
    opened at once and cost memory only where they are read."""

    def __init__(self, blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> None:
        self._blob = blob
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start, end = self._offsets[index % len(self) : index % len(self) + 2]
        return self._blob[start:end].tobytes().decode("utf-8", "surrogateescape")


def blocks(
    array: npt.NDArray[Any], ids: npt.NDArray[np.int64] | None = None
) -> Iterator[npt.NDArray[Any]]:
    """The rows ``ids`` (all when None) in order, as C-contiguous blocks of about 16 MiB."""
    number = len(array) if ids is None else len(ids)
    row_bytes = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:])))
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, number, step):
        rows = slice(start, start + step) if ids is None else ids[start : start + step]
        yield np.ascontiguousarray(array[rows])


def array_hash(dtype: np.dtype[Any], shape: Sequence[int]) -> hashlib._Hash:
    """A SHA-256 that has read dtype and shape, and waits for the bytes."""
    return hashlib.sha256(f"{dtype.str}{tuple(int(s) for s in shape)}".encode())


def digest(array: npt.NDArray[Any]) -> str:
    """SHA-256 (hex) over dtype, shape and bytes of an array."""
    sha = array_hash(array.dtype, array.shape)
    for rows in blocks(array):
        sha.update(rows.data)
    return sha.hexdigest()


def header(dtype: np.dtype[Any], shape: Sequence[int]) -> bytes:
    """What an .npy has before its numbers."""
    descr = np.lib.format.dtype_to_descr(dtype)  # of a record type the fields too
    about = {"descr": descr, "fortran_order": False, "shape": tuple(int(s) for s in shape)}
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, about)
    return written.getvalue()


def write_array(
    file: Path, dtype: np.dtype[Any], shape: Sequence[int], rows: Iterable[npt.NDArray[Any]]
) -> None:
    """An .npy from consecutive blocks of its rows.

    Plain writes instead of a writable memory map: on a full disk a write is an OSError, where a
    map would kill the process with SIGBUS.
    """
    with file.open("xb") as handle:
        handle.write(header(dtype, shape))
        for block in rows:
            handle.write(block.data)
        handle.flush()
        os.fsync(handle.fileno())


def write_whole(file: Path, array: npt.NDArray[Any]) -> None:
    """An array that is in memory, as .npy."""
    write_array(file, array.dtype, array.shape, blocks(array))


def load(file: Path) -> npt.NDArray[Any]:
    """An .npy read into memory; pickled objects are refused."""
    array: npt.NDArray[Any] = np.load(file, allow_pickle=False)
    return array


def load_mapped(file: Path) -> npt.NDArray[Any]:
    """An .npy as a read-only map, so that its pages are read when they are looked at."""
    array: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    return array


def write_texts(file: Path, texts: Iterable[str]) -> None:
    """Strings (file names of any bytes among them) as FILE.npy and FILE.offsets.npy."""
    raw = [text.encode("utf-8", "surrogateescape") for text in texts]
    offsets = np.zeros(len(raw) + 1, dtype=np.int64)
    np.cumsum([len(r) for r in raw], out=offsets[1:])
    write_whole(file, np.frombuffer(b"".join(raw), dtype=np.uint8))
    write_whole(file.with_suffix(".offsets.npy"), offsets)


def read_texts(file: Path) -> Texts:
    """What :func:`write_texts` wrote, the blob mapped (an empty one cannot be)."""
    offsets = load_mapped(file.with_suffix(".offsets.npy"))
    if offsets[-1] == 0:
        return Texts(np.zeros(0, dtype=np.uint8), offsets)
    blob = load_mapped(file)
    if len(blob) != offsets[-1]:
        raise ValueError(f"{file.name} has another length")
    return Texts(blob, offsets)
