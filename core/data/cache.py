"""What lies in the data cache: prepared datasets, and pictures of unfinished preparations."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.data.bank import Dataset, open_dataset, verify_inputs
from core.errors import MachineError, UserError, nearest
from core.files import disk_errors, read_json, write_json
from core.locks import try_lock

ABOUT = "prepared.json"
"""In a prepared dataset: what it was made from, for people; nothing depends on it."""

_DECODING = ".decode-"


@dataclass(frozen=True)
class Entry:
    """One folder of the cache. ``dataset`` is None when it is ``unfinished`` or damaged (``why``).
    ``about``: the ``data`` section it was made from and when, {} for those of early versions."""

    folder: Path
    unfinished: bool
    dataset: Dataset | None
    why: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What the user calls it."""
        return self.folder.name.lstrip(".")

    @property
    def status(self) -> str:
        """prepared, unfinished or damaged."""
        if self.unfinished:
            return "unfinished"
        return "damaged" if self.dataset is None else "prepared"

    @property
    def used(self) -> float:
        """When it was last prepared or opened by a run (seconds since 1970)."""
        return self.folder.stat().st_mtime

    def disk_bytes(self) -> int:
        """Bytes it takes on the disk."""
        files = [Path(top, name) for top, _, names in os.walk(self.folder) for name in names]
        return sum(512 * file.stat().st_blocks for file in files)


def note_source(folder: Path, data: Mapping[str, Any]) -> None:
    """Write down what a dataset is made from; ``data`` is the section of the spec."""
    write_json(folder / ABOUT, {"data": dict(data), "made": time.time()})


def note_use(folder: Path) -> None:
    """The dataset is opened for a run now. A cache that cannot be written is none the worse."""
    with suppress(OSError):
        os.utime(folder)


def entries(cache_root: Path) -> list[Entry]:
    """Everything in the cache, the last used first. Imports nothing heavy, reads no pictures."""
    if not cache_root.is_dir():
        return []
    found = [entry for path in cache_root.iterdir() if (entry := _entry(path)) is not None]
    return sorted(found, key=lambda entry: entry.used, reverse=True)


def find(cache_root: Path, text: str) -> Entry:
    """The entry of this id or unique beginning of an id. Else UserError with the nearest."""
    everything = entries(cache_root)
    found = [e for e in everything if e.id == text] or [
        e for e in everything if e.id.startswith(text)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"'{text}' fits {len(found)} datasets: {', '.join(e.id for e in found)}", "name one"
        )
    if not everything:
        raise UserError(f"nothing is prepared in {cache_root}", "`prunectl data prepare` does it")
    what = f"no prepared dataset is called '{text}' in {cache_root}"
    raise UserError(what, nearest(text, [e.id for e in everything]))


def verify(entry: Entry) -> None:
    """Read every byte and compare with the fingerprints. MachineError saying what has changed."""
    if entry.unfinished:
        raise UserError(
            f"{entry.id} is an unfinished preparation", "prepare it again, or remove it"
        )
    verify_inputs(open_dataset(entry.folder))


def remove(entry: Entry) -> None:
    """Delete it. Whoever has it open keeps what was mapped; a preparation at work is refused."""
    lock = entry.folder.with_name(f".{entry.id.removesuffix('.partial')}.lock")
    with disk_errors(entry.folder):
        descriptor = try_lock(lock)
        if descriptor is None:
            raise UserError(f"{entry.id} is being prepared", "stop that first")
        try:
            # Renamed first: what is half deleted must not look like a dataset.
            doomed = entry.folder.rename(entry.folder.with_name(f".{entry.id}.removed"))
            shutil.rmtree(doomed)
        finally:
            os.close(descriptor)


def _entry(path: Path) -> Entry | None:
    if not path.is_dir():
        return None
    if path.name.startswith("."):
        partial = path.name.startswith(_DECODING) or path.suffix in (".partial", ".removed")
        return Entry(path, True, None, "") if partial else None
    if not (path / "dataset.json").exists():
        return None  # somebody else's folder: the cache may be shared with source files
    about = read_json(path / ABOUT)
    known = about if isinstance(about, dict) else {}
    try:
        return Entry(path, False, open_dataset(path), "", known)
    except MachineError as error:
        return Entry(path, False, None, error.what, known)
