"""Scores of a run for a process that must stay small.

A table of a million samples takes several times its size while it is decoded, and the memory is
not given back. So a process of its own decodes a large one, leaves a plain array a column and ends.
Texts are left out: of ``source`` only whether a sample was ``scored``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RunFailure

_INDEX = "columns.json"
_SMALL = 4 << 20
"""Bytes of a file below which decoding it here costs less than a process."""


def peek_scores(file: Path) -> dict[str, NDArray[Any]]:
    """Columns of a ``scores/seed-S.parquet`` by name, each ``[N]``, ordered by sample id.

    Numbers are float32 (null is NaN), ``label`` int32, ``heldout`` and ``scored`` bool; read-only
    memory maps where the file is large. RunFailure when it cannot be read.
    """
    if file.stat().st_size < _SMALL:
        try:
            return dict(columns(file))
        except Exception as error:  # pyarrow's errors have no common class of their own
            raise RunFailure(f"{file.name} cannot be read: {_one_line(error)}") from error
    return _apart(file)


def _apart(file: Path) -> dict[str, NDArray[Any]]:
    """Decoded by another process; the arrays' files are gone from the disk once they are mapped."""
    with tempfile.TemporaryDirectory(prefix="prunectl-") as folder:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "core.peek", str(file), folder],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise RunFailure(f"{file.name} cannot be read: {said[-1] if said else 'no reason'}")
        names = json.loads((Path(folder) / _INDEX).read_text(encoding="utf-8"))
        return {
            name: np.load(Path(folder) / f"{number}.npy", mmap_mode="r", allow_pickle=False)
            for number, name in enumerate(names)
        }


def columns(file: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names and columns of a table, one at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, read_dictionary=["source"]) as table:
        for name in table.schema_arrow.names:
            if name in ("id", "path"):  # an id is a row's number
                continue
            column = table.read(columns=[name]).column(0)
            if name == "source":
                yield "scored", _is(column, "scored")
            else:
                yield name, column.to_numpy(zero_copy_only=False).astype(_kind(name))


def _is(column: Any, wanted: str) -> NDArray[np.bool_]:
    """Where a column of few texts says this; [N]. A text is compared once a piece, not a row."""
    pieces = [
        np.array([text == wanted for text in piece.dictionary.to_pylist()], dtype=bool)[
            piece.indices.to_numpy(zero_copy_only=False)
        ]
        for piece in column.chunks
    ]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=bool)


def _kind(name: str) -> type[np.generic]:
    return {"label": np.int32, "heldout": np.bool_}.get(name, np.float32)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _unpack(file: Path, folder: Path) -> None:
    names = []
    for number, (name, column) in enumerate(columns(file)):
        np.save(folder / f"{number}.npy", column)
        names.append(name)
    (folder / _INDEX).write_text(json.dumps(names), encoding="utf-8")


if __name__ == "__main__":
    try:
        _unpack(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception as error:  # one line for the process that asked
        sys.exit(_one_line(error))
