"""What a runs folder takes on the disk, and what of it nobody needs any more.

Needed is what a run or a sweep's cell refers to: the keys in its ``refs.json``, and as long as it
is not finished those in its journal too. All who use a store share its lock, so nothing of it is
touched while any process works on it. Torch-free.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.events import TaskFinished
from core.files import disk_errors, read_json
from core.journal import read
from core.locks import try_lock
from core.runs import TRASH, Run, store_folder
from core.store import in_use

Kind = Literal["store", "checkpoints", "temporary", "trash"]
_OWN = ("partial", "temporary", "locks")
_GONE = ".gone"
CHECKPOINT_DAYS = 30.0


@dataclass(frozen=True)
class Holder:
    """A folder that refers to entries of the store: a run, or a cell of a sweep."""

    path: Path
    keys: frozenset[str]
    finished: bool
    alive: bool


@dataclass(frozen=True)
class Item:
    """Something nobody needs: what it is, where, how many bytes."""

    kind: Kind
    path: Path
    bytes: int


@dataclass
class Garbage:
    """What ``gc`` would delete. ``busy``: the store is in use, so nothing of it is listed."""

    items: list[Item] = field(default_factory=list)
    busy: bool = False

    def bytes(self, kind: Kind | None = None) -> int:
        """Bytes of all items, or of those of one kind."""
        return sum(item.bytes for item in self.items if kind in (None, item.kind))


@dataclass(frozen=True)
class RunUsage:
    """A run's bytes: its folder, the entries it refers to, and those nobody else refers to."""

    run: str
    path: Path
    folder: int
    store: int
    store_own: int


@dataclass(frozen=True)
class Usage:
    """What a runs folder takes, in bytes."""

    runs: list[RunUsage]
    store: int
    unreferenced: int
    checkpoints: int
    trash: int
    other: int
    total: int


def holders(runs: Path) -> list[Holder]:
    """All run folders, sweeps and cells below a runs folder; the trash is left out."""
    folders = [p for p in _folders(runs) if p != store_folder(runs) and p.name != TRASH]
    found = [p for p in folders if (p / "state.json").exists() or (p / "refs.json").exists()]
    return [_holder(p) for top in found for p in (top, *_folders(top / "cells"))]


def usage(runs: Path) -> Usage:
    """The runs folder's disk use."""
    store, known = store_folder(runs), holders(runs)
    sizes = {entry.name: size_of(entry) for entry in _entries(store)}
    top = {h.path: _keys_below(h.path, known) for h in known if h.path.parent == runs}
    rows = []
    for path, keys in top.items():
        others = frozenset[str]().union(*(k for p, k in top.items() if p != path))
        rows.append(
            RunUsage(
                path.name, path, size_of(path), sum(sizes.get(k, 0) for k in keys),
                sum(sizes.get(k, 0) for k in keys - others),
            )
        )  # fmt: skip
    needed = frozenset[str]().union(*top.values())
    total, trash = size_of(runs), size_of(runs / TRASH)
    whole, folders = size_of(store), sum(row.folder for row in rows)
    return Usage(
        sorted(rows, key=lambda r: -(r.folder + r.store_own)), whole,
        sum(size for key, size in sizes.items() if key not in needed),
        size_of(store / "partial"), trash, total - trash - whole - folders, total,
    )  # fmt: skip


def find_garbage(runs: Path, checkpoint_days: float = CHECKPOINT_DAYS) -> Garbage:
    """What nobody needs, as of now. Deletes nothing."""
    with _alone(runs) as alone:
        return _garbage(runs, alone, checkpoint_days)


def collect(runs: Path, checkpoint_days: float = CHECKPOINT_DAYS) -> Garbage:
    """Delete what nobody needs; what was deleted. Looked up anew under the lock, which is held
    only while things are moved aside; then they are gone for everybody, and deleting may last."""
    aside = store_folder(runs) / f"{_GONE}.{os.getpid()}"
    with disk_errors(runs):
        with _alone(runs) as alone:
            garbage = _garbage(runs, alone, checkpoint_days)
            if alone:
                _move(garbage.items, aside)
        for item in garbage.items:
            if item.kind == "trash":
                shutil.rmtree(item.path, ignore_errors=True)
        if alone:
            for left in store_folder(runs).glob(f"{_GONE}.*"):  # of a killed one too
                shutil.rmtree(left, ignore_errors=True)
    return garbage


def size_of(path: Path) -> int:
    """Bytes of a file or of all files below a folder; links count as themselves. What vanishes
    meanwhile counts nothing."""
    try:
        if not path.is_dir() or path.is_symlink():
            return path.lstat().st_size
        return sum(size_of(Path(entry.path)) for entry in os.scandir(path))
    except FileNotFoundError:
        return 0


def _garbage(runs: Path, alone: bool, checkpoint_days: float) -> Garbage:
    found = [Item("trash", p, size_of(p)) for p in _folders(runs / TRASH)]
    known = holders(runs)
    if not alone or any(h.alive for h in known):
        return Garbage(found, busy=True)
    store = store_folder(runs)
    needed = frozenset[str]().union(*(h.keys for h in known)) if known else frozenset[str]()
    needed |= _scores_of(store, [h for h in known if not h.finished])
    found += [Item("store", p, size_of(p)) for p in _entries(store) if p.name not in needed]
    found += [Item("temporary", p, size_of(p)) for p in _folders(store / "temporary")]
    unfinished = any(not h.finished for h in known)
    for partial in _folders(store / "partial"):
        if not unfinished or _age_days(partial) > checkpoint_days:
            found.append(Item("checkpoints", partial, size_of(partial)))
    return Garbage(found)


def _holder(path: Path) -> Holder:
    run = Run(path)
    state = run.state()
    keys = set((read_json(path / "refs.json") or {}).get("keys") or ())
    finished = state.status == "finished"
    if not finished and run.journal.is_file():  # refs.json is written at the end of a seed
        events = (record.event for record in read(run.journal))
        keys |= {event.key for event in events if isinstance(event, TaskFinished)}
    return Holder(path, frozenset(keys), finished, state.alive)


def _scores_of(store: Path, unfinished: Iterable[Holder]) -> frozenset[str]:
    """Scores of the nets of unfinished runs: a journal names only the net of a scoring run."""
    nets = {key for holder in unfinished for key in holder.keys if key.startswith("net-")}
    if not nets:
        return frozenset()
    found = set()
    for entry in store.glob("score-*"):
        parts = (read_json(entry / "sealed.json") or {}).get("parts") or {}
        if parts.get("net") in nets:
            found.add(entry.name)
    return frozenset(found)


def _keys_below(path: Path, known: list[Holder]) -> frozenset[str]:
    """Keys of a run, or of a sweep and its cells."""
    below = (h.keys for h in known if h.path == path or path in h.path.parents)
    return frozenset[str]().union(*below)


def _entries(store: Path) -> list[Path]:
    return [p for p in _folders(store) if p.name not in _OWN and not p.name.startswith(".")]


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir()) if path.is_dir() else []


def _age_days(folder: Path) -> float:
    newest = max((p.stat().st_mtime for p in (folder, *folder.iterdir())), default=0.0)
    return (time.time() - newest) / 86400


def _move(items: Iterable[Item], aside: Path) -> None:
    for number, item in enumerate(items):
        if item.kind != "trash":
            aside.mkdir(exist_ok=True)
            item.path.replace(aside / str(number))


@contextmanager
def _alone(runs: Path) -> Iterator[bool]:
    """Whether no process uses the store; if so none can begin to inside the block."""
    store = store_folder(runs)
    if not store.is_dir():
        yield True
        return
    descriptor = try_lock(in_use(store))
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)
