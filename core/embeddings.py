"""Embeddings from a file: .npy [N, d], or .npz with ``embeddings`` [N, d] and maybe ``ids`` [N].

Row i belongs to training sample i, or with ``ids`` to sample ids[i]. Nothing is read into memory as
a whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data import _npy as npy
from core.data._npz import keys_of, open_members
from core.data.checks import count, listed
from core.errors import UserError
from core.files import sha256

KEY, IDS = "embeddings", "ids"


def fingerprint(file: Path) -> str:
    """SHA-256 of the file; the same bytes elsewhere are the same embeddings."""
    about = _located(file).stat()
    return _sha256(_located(file), about.st_size, about.st_mtime_ns)


def check_header(file: Path, samples: int) -> int:
    """The width d, after a look at types and shapes only. UserError when they do not fit."""
    with _opened(file) as (rows, ids):
        if rows.ndim != 2 or rows.dtype.kind not in "fiu" or not rows.shape[1]:
            what = f"{file} holds {rows.dtype} {list(rows.shape)}"
            raise UserError(what, "embeddings are [N, d], one row a training sample")
        if len(rows) != samples:
            what = f"{file} has {len(rows):,} rows for {samples:,} training samples"
            raise UserError(what, "give one row a training sample, in the order of their ids")
        if ids is not None:
            _check_ids(file, ids, samples)
        return int(rows.shape[1])


def write(file: Path, samples: int, target: Path) -> None:
    """Write them as float32 [N, d] in the order of the ids, block by block.

    UserError when they do not fit or are not finite.
    """
    width = check_header(file, samples)
    with _opened(file) as (rows, ids):
        order = None if ids is None else np.argsort(ids)
        blocks = _finite(file, npy.blocks(rows, order))
        npy.write_array(target, np.dtype(np.float32), (samples, width), blocks)


def _finite(file: Path, blocks: Iterator[npt.NDArray[Any]]) -> Iterator[npt.NDArray[np.float32]]:
    start = 0
    for block in blocks:
        with np.errstate(over="ignore"):  # what float32 cannot hold is reported as infinite
            rows = np.ascontiguousarray(block, dtype=np.float32)
        bad = start + np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(bad):
            what = f"{file} holds NaN or infinity in {count(len(bad), 'row')}: {listed(bad)}"
            raise UserError(what, "every sample needs finite embeddings")
        start += len(rows)
        yield rows


def _check_ids(file: Path, ids: npt.NDArray[Any], samples: int) -> None:
    if ids.shape != (samples,) or ids.dtype.kind not in "iu":
        what = f"{IDS} in {file} is {ids.dtype} {list(ids.shape)}"
        raise UserError(what, f"it has to be {samples:,} whole numbers, one a row")
    if ids.min() < 0 or ids.max() >= samples:
        what = f"{IDS} in {file} reaches from {ids.min()} to {ids.max()}"
        raise UserError(what, f"ids of training samples are 0 to {samples - 1}")
    missing = np.flatnonzero(np.bincount(ids.astype(np.int64), minlength=samples) == 0)
    if len(missing):
        what = f"{IDS} in {file} lacks {count(len(missing), 'sample')}: {listed(missing)}"
        raise UserError(what, "name every training sample once")


@contextmanager
def _opened(file: Path) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any] | None]]:
    """(rows, ids), the rows mapped; a compressed member is unpacked for as long as it is open."""
    place = _located(file)
    if place.suffix == ".npy":
        try:
            yield np.load(place, mmap_mode="r", allow_pickle=False), None
        except (ValueError, EOFError) as error:
            what = f"{file} is no readable .npy file of numbers"
            raise UserError(what, "write it with numpy.save") from error
        return
    ids = open_members(place, (IDS,))[0].read() if IDS in keys_of(place) else None
    (member,) = open_members(place, (KEY,))
    with tempfile.TemporaryDirectory(prefix="prunectl-") as folder:
        yield member.open(Path(folder) / "unpacked.npy"), ids


def _located(file: Path) -> Path:
    place = file.expanduser().absolute()
    if not place.is_file():
        raise UserError(f"embed.from: there is no file {place}", "give a .npy or .npz file")
    return place


@lru_cache
def _sha256(file: Path, size: int, changed: int) -> str:
    return sha256(file)
