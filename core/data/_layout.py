"""Where decoded pictures lie until the dataset is whole: one array file a part, in the order of its
ids, so that it can become the part's ``inputs.npy`` without being copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.data import _npy as npy
from core.data._decoder import Place, Target
from core.data._pixels import Pixels

Ids = npt.NDArray[np.int64]
_PIXELS = np.dtype(np.uint8)
_READ_BYTES = 1 << 20


class Layout:
    """``parts``: {name: ascending row numbers}, each of the N rows in one part. Pictures are read
    in the order of their rows, so a chunk of consecutive ones is a stretch of each part's file."""

    def __init__(
        self, folder: Path, parts: Mapping[str, Ids], shape: tuple[int, int, int], size: int | None
    ) -> None:
        self.files = {name: folder / f"{name}.npy" for name in parts}
        self._ids = list(parts.values())
        self._part = np.zeros(sum(map(len, self._ids)), dtype=np.uint8)
        for number, ids in enumerate(self._ids):
            self._part[ids] = number
        self._headers = [npy.header(_PIXELS, (len(ids), *shape)) for ids in self._ids]
        self.target = Target(
            tuple(str(file) for file in self.files.values()),
            tuple(map(len, self._headers)),
            shape,
            size,
        )

    def __len__(self) -> int:
        return len(self._part)

    def shapes(self) -> list[tuple[int, ...]]:
        """[N,H,W,C] of each part."""
        return [(len(ids), *self.target.shape) for ids in self._ids]

    def is_there(self) -> bool:
        """Whether the files exist in full length and belong to nobody else."""
        for file, size in self._sizes():
            try:
                about = file.stat()
            except OSError:
                return False
            if about.st_size != size or about.st_nlink > 1:
                return False
        return True

    def create(self) -> None:
        """Files of the final length without any pixels; they take no room yet."""
        for (file, size), header in zip(self._sizes(), self._headers, strict=True):
            file.unlink(missing_ok=True)  # instead of writing into what a dataset is linked to
            with file.open("xb") as handle:
                handle.write(header)
                handle.truncate(size)

    def place(self, first: int, stop: int) -> Place:
        """Where the rows first..stop-1 go."""
        starts = [int(np.searchsorted(ids, first)) for ids in self._ids]
        return Place(self._part[first:stop].tolist(), starts)

    def read(self, first: int, stop: int) -> Iterator[tuple[int, memoryview]]:
        """(part, pixels) of the rows first..stop-1, part after part, piece by piece; a piece is
        gone when the next is asked for. EOFError when a file is shorter."""
        buffer = memoryview(bytearray(_READ_BYTES))
        for number, ids in enumerate(self._ids):
            start, end = (
                int(i) * self.target.row_bytes for i in np.searchsorted(ids, (first, stop))
            )
            if start == end:
                continue
            skip = self.target.headers[number]
            with open(self.target.files[number], "rb", buffering=0) as file:
                file.seek(skip + start)
                for at in range(start, end, _READ_BYTES):
                    piece = buffer[: min(_READ_BYTES, end - at)]
                    if file.readinto(piece) != len(piece):
                        raise EOFError(self.target.files[number])
                    yield number, piece

    def rows(self, first: int, stop: int) -> Rows:
        """The rows first..stop-1, to be indexed by number."""
        return Rows(self, first, stop)

    def gather(self, rows: Ids) -> Pixels:
        """uint8 [n,H,W,C] of any rows."""
        found = np.empty((len(rows), *self.target.shape), dtype=np.uint8)
        for number, ids in enumerate(self._ids):
            mine = np.flatnonzero(self._part[rows] == number)
            if len(mine):
                part = npy.load_mapped(Path(self.target.files[number]))
                found[mine] = part[np.searchsorted(ids, rows[mine])]
        return found

    def _sizes(self) -> Iterator[tuple[Path, int]]:
        for file, header, ids in zip(self.files.values(), self._headers, self._ids, strict=True):
            yield file, len(header) + len(ids) * self.target.row_bytes


class Rows:
    """A stretch of a layout's rows in their own order, as much of an array as writing a bank takes:
    type, shape, and rows picked by their numbers."""

    dtype = _PIXELS
    ndim = 4

    def __init__(self, layout: Layout, first: int, stop: int) -> None:
        self._layout = layout
        self._first = first
        self.shape = (stop - first, *layout.target.shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, ids: Ids) -> Pixels:
        return self._layout.gather(self._first + ids)
