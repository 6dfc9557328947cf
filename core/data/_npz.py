"""Arrays of an .npz file that are not read into memory: mapped in place, or unpacked to disk."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data import _npy as npy
from core.errors import UserError

_BLOCK_BYTES = 16 << 20
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member: lengths of its name and extra field
_BAD = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error)


@dataclass(frozen=True)
class Member:
    """An array in an .npz: dtype and shape are read, its numbers are not."""

    file: Path
    key: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    header_bytes: int
    info: zipfile.ZipInfo

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def packed(self) -> bool:
        """Whether it is compressed, so that it cannot be mapped where it lies."""
        return self.info.compress_type != zipfile.ZIP_STORED

    def open(self, unpacked: Path) -> npt.NDArray[Any]:
        """The array as a read-only map: of the .npz itself, or of the file ``unpacked``, which is
        written in blocks when the member is compressed.

        UserError when the bytes are not those that were saved.
        """
        try:
            return self._unpack(unpacked) if self.packed else self._map()
        except _BAD as error:
            raise self.damaged() from error

    def read(self) -> npt.NDArray[Any]:
        """The array in memory."""
        try:
            return np.concatenate([*self._blocks(), np.zeros((0, *self.shape[1:]), self.dtype)])
        except _BAD as error:
            raise self.damaged() from error

    def damaged(self) -> UserError:
        """That its bytes are not those that were saved."""
        return UserError(f"{self.key} in {self.file} is damaged", "get or write the file again")

    def _unpack(self, file: Path) -> npt.NDArray[Any]:
        npy.write_array(file, self.dtype, self.shape, self._blocks())
        return np.load(file, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]  # NumPy says Any

    def _blocks(self) -> Iterator[npt.NDArray[Any]]:
        """Consecutive rows; zipfile compares the checksum when the last one was read."""
        row_bytes = max(1, self.nbytes // max(1, self.shape[0]))
        step = max(1, _BLOCK_BYTES // row_bytes)
        with zipfile.ZipFile(self.file) as archive, archive.open(self.info) as member:
            _exactly(member, self.header_bytes)
            for start in range(0, self.shape[0], step):
                rows = min(step, self.shape[0] - start)
                content = _exactly(member, rows * row_bytes)
                yield np.frombuffer(content, self.dtype).reshape(rows, *self.shape[1:])
            if member.read(1):
                raise ValueError("bytes after the array")

    def _map(self) -> npt.NDArray[Any]:
        whole = np.memmap(self.file, np.uint8, "r")
        names = _LOCAL_HEADER.unpack_from(whole.data, self.info.header_offset)
        start = self.info.header_offset + _LOCAL_HEADER.size + sum(names)
        content = whole[start : start + self.info.file_size]
        if len(content) != self.header_bytes + self.nbytes or _crc(content) != self.info.CRC:
            raise ValueError("another checksum")
        return content[self.header_bytes :].view(self.dtype).reshape(self.shape)


def keys_of(file: Path) -> list[str]:
    """Names of the arrays in an .npz. UserError for a file that is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except zipfile.BadZipFile as error:
        raise _unreadable(file) from error


def open_members(file: Path, keys: tuple[str, ...]) -> list[Member]:
    """Arrays of an .npz. UserError for a file that is none, missing keys, Python objects."""
    try:
        with zipfile.ZipFile(file) as archive:
            held = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if missing := [key for key in keys if key not in held]:
                what = (
                    f"{file} lacks {', '.join(missing)} (it holds {', '.join(held) or 'nothing'})"
                )
                raise UserError(
                    what, f"save it with numpy.savez({', '.join(f'{k}=...' for k in keys)})"
                )
            return [_member(file, archive, key, archive.getinfo(held[key])) for key in keys]
    except zipfile.BadZipFile as error:
        raise _unreadable(file) from error


def _unreadable(file: Path) -> UserError:
    what = f"{file} is not a readable .npz file, or is truncated"
    return UserError(what, "get or write the file again")


def _member(file: Path, archive: zipfile.ZipFile, key: str, info: zipfile.ZipInfo) -> Member:
    try:
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, columns_first, dtype = read(member)
            size = member.tell()
    except _BAD as error:
        raise UserError(f"{key} in {file} is damaged", "get or write the file again") from error
    if dtype.hasobject:
        raise UserError(f"{key} in {file} holds Python objects", "save plain numbers")
    if columns_first and len(shape) > 1:
        raise UserError(f"{key} in {file} is stored column by column", "save it in C order")
    return Member(file, key, dtype, shape, size, info)


def _exactly(member: Any, count: int) -> bytes:
    content: bytes = member.read(count)
    if len(content) != count:
        raise EOFError("too short")
    return content


def _crc(content: npt.NDArray[np.uint8]) -> int:
    crc = 0
    for start in range(0, len(content), _BLOCK_BYTES):
        crc = zlib.crc32(content[start : start + _BLOCK_BYTES].data, crc)
    return crc
