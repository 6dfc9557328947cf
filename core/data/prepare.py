"""Prepare a dataset once: look in the cache, else read the source, write, rename.

A prepared dataset lies in ``<cache>/<name>-<key12>``; the key hashes the plug-in, its options, and
path, size and time of the source files. Preparing happens in a hidden folder under a lock, and the
finished folder appears by one rename, so a killed run leaves nothing that looks whole.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, cast

from core import registry
from core.data._scan import one_look
from core.data.bank import FORMAT, Dataset, open_dataset, verify_inputs
from core.data.base import DataSpec, Progress, Source
from core.data.cache import note_source, note_use
from core.errors import DiskFull, MachineError
from core.files import fsync_folder
from core.locks import locked
from core.units import digest

VERIFY_BYTES = 256 << 20
"""Inputs up to this size are read and compared with their fingerprint whenever they are opened, a
fraction of a second; of larger ones only sizes, shapes and labels are looked at."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def prepare_dataset(
    data: DataSpec,
    cache_root: Path,
    progress: Progress | None = None,
    check: Callable[[], None] = lambda: None,
    workers: int | None = None,
) -> Dataset:
    """The prepared dataset, made now if need be. A second process waits for the first.

    ``progress`` is told (samples written, in all); ``check`` is called often while waiting. Either
    may raise to give up. ``workers``: decoding processes of sources that use any; None: one a core.

    UserError for missing or wrong data, DiskFull and MachineError for the machine; either way
    nothing half-written stays behind but decoded pictures, which the next attempt takes over. A
    damaged cache entry is made again.
    """
    _fetch(data, cache_root, check)
    with one_look():
        folder = prepared_folder(data, cache_root)
        if found := _opened(folder):
            note_use(folder)
            return found
        lock = folder.with_name(f".{folder.name}.lock")
        with _machine_errors(cache_root), locked(lock, check=check):
            if found := _opened(folder):  # another process was faster
                return found
            _build(data, folder, progress, workers)
    return open_dataset(folder)


def prepared_info(data: DataSpec, cache_root: Path) -> dict[str, Any] | None:
    """What is known of an already prepared dataset, None when it is not. Imports nothing heavy.

    Keys: ``name, n_train, n_test, n_validation, classes, input_shape, fingerprint, folder``.
    UserError when the source's files are missing.
    """
    folder = prepared_folder(data, cache_root)
    try:
        found = open_dataset(folder)
    except MachineError:
        return None
    return {
        "name": found.name,
        "n_train": len(found.train),
        "n_test": len(found.test),
        "n_validation": len(found.validation) if found.validation is not None else 0,
        "classes": found.classes,
        "input_shape": found.train.input_shape,
        "fingerprint": found.fingerprint,
        "folder": folder,
    }


def prepared_folder(data: DataSpec, cache_root: Path) -> Path:
    """Where the dataset is, or will be. UserError when the source's files are missing."""
    with _machine_errors(cache_root):
        identity = _identity(_source(data), data)
    about = registry.describe("dataset", data.name)
    # Filled in: a default written out is no other dataset.
    params = registry.validate_params("dataset", data.name, data.params)
    for option in about.constants.get("WITHOUT_EFFECT", ()):
        params.pop(option)
    key = digest(
        {
            "format": FORMAT,
            "plugin": about.version,
            "options": [data.size, data.n, data.seed, data.test_fraction, data.validation],
            "params": params,
            "files": identity,
        }
    )
    return cache_root.absolute() / f"{data.name}-{key[:12]}"


def disk_bytes(data: DataSpec) -> int:
    """About how many bytes the prepared dataset takes; the size of its files if it cannot say.

    UserError when the source's files are missing.
    """
    source = _source(data)
    estimate = getattr(source, "disk_bytes", None)
    if estimate is not None:
        return int(estimate(_root(data), data))
    return sum(file.stat().st_size for file in source.files(_root(data), data))


def _source(data: DataSpec) -> Source:
    return cast(Source, registry.load("dataset", data.name))


def _identity(source: Source, data: DataSpec) -> object:
    """What the data depends on: of each file path, size and time, or what the source says."""
    own = getattr(source, "identity", None)
    if own is not None:
        return own(_root(data), data)
    files = [file.absolute() for file in source.files(_root(data), data)]
    return [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]


def _plain(data: DataSpec) -> dict[str, Any]:
    keys = ("name", "size", "n", "seed", "test_fraction", "validation")
    root = _root(data)
    params = registry.validate_params("dataset", data.name, data.params)
    plain = {key: getattr(data, key) for key in keys}
    return {**plain, "root": None if root is None else str(root), **params}


def _root(data: DataSpec) -> Path | None:
    return None if data.root is None else data.root.expanduser().absolute()


def _fetch(data: DataSpec, cache_root: Path, check: Callable[[], None]) -> None:
    """Let a source that can get its files from elsewhere do so."""
    fetch = getattr(_source(data), "fetch", None)
    if fetch is not None:
        with _machine_errors(cache_root):
            fetch(_root(data), data, check)


def _opened(folder: Path) -> Dataset | None:
    """The dataset if it is there and whole."""
    try:
        dataset = open_dataset(folder)
        if sum(bank.inputs.nbytes for bank in dataset.parts().values()) <= VERIFY_BYTES:
            verify_inputs(dataset)
    except MachineError:
        return None
    return dataset


def _build(data: DataSpec, folder: Path, progress: Progress | None, workers: int | None) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a killed process: we hold the lock
    prepare = _source(data).prepare
    options = {"workers": workers} if "workers" in signature(prepare).parameters else {}
    # Sources that decode know better what they need: an earlier attempt may have done a part.
    if not options and (need := disk_bytes(data)) > (free := shutil.disk_usage(folder.parent).free):
        raise _disk_full(folder.parent, f"need {need:,} bytes, have {free:,}")
    partial.mkdir()
    try:
        prepare(_root(data), data, partial, progress, **options)
        note_source(partial, _plain(data))
        shutil.rmtree(partial / "work", ignore_errors=True)
        open_dataset(partial)  # a plug-in that wrote no whole dataset must not be sealed
        fsync_folder(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        fsync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _machine_errors(cache_root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(cache_root, "the disk is full") from error
        where = error.filename or cache_root
        what = f"cannot prepare the data: {os.strerror(error.errno or 0)}: {where}"
        raise MachineError(what, "check its permissions, or set PRUNECTL_DATA") from error


def _disk_full(cache_root: Path, why: str) -> DiskFull:
    what = f"no room for the data in {cache_root} ({why})"
    return DiskFull(what, "free some, or set PRUNECTL_DATA")
