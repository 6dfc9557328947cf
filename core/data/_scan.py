"""Which pictures lie in a folder of class folders, quickly: a million files in seconds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from core.data._pixels import SUFFIXES

Found = TypeVar("Found")
Entry = tuple[str, int, int]
"""Path from the folder that was scanned, bytes, time of change (ns); a dangling link: -1, -1."""


@dataclass
class Scan:
    """``classes``: pictures by class folder, both sorted. ``stray``: pictures outside any class
    folder. ``others``: how many files of each other suffix were passed over."""

    classes: dict[str, list[Entry]] = field(default_factory=dict)
    stray: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


_looked: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("looked", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Within it a folder is looked through once, however often it is asked for: a dataset's name,
    its size and its pictures are of the same moment, and a large folder is waited for once."""
    token = _looked.set({})
    try:
        yield
    finally:
        _looked.reset(token)


def scan(root: Path, part: str = "") -> Scan:
    """Look through ``root / part``: its folders are the classes, each as deep as it goes.

    Paths are those below ``root``. Links are followed, hidden files and folders are not looked at.
    OSError as the disk says.
    """
    found = _once(root, part, _scan)
    return replace(found, classes=dict(found.classes))


def pictures_in(root: Path, part: str) -> list[Entry]:
    """All pictures in ``root / part``, however deep, sorted; paths are those below ``root``."""
    return _once(root, f"{part}/", _pictures_in)


def _once(root: Path, part: str, look: Callable[[Path, str], Found]) -> Found:
    seen = _looked.get()
    if seen is None:
        return look(root, part)
    key = os.path.abspath(root), part
    if key not in seen:
        seen[key] = look(root, part)
    found: Found = seen[key]
    return found


def _scan(root: Path, part: str) -> Scan:
    found = Scan()
    folders = []
    prefix = f"{part}/" if part else ""
    with os.scandir(root / part) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif _is_picture(entry.name):
                found.stray.append(entry.name)
            else:
                found.others[_kind(entry.name)] += 1
    found.stray.sort()
    for name in sorted(folders):
        shown = prefix + name
        top = os.path.join(root, shown)
        found.classes[name] = sorted(_pictures(top, shown, found.others, frozenset()))
    return found


def _pictures_in(root: Path, part: str) -> list[Entry]:
    shown = part.rstrip("/")
    return sorted(_pictures(os.path.join(root, shown), shown, Counter(), frozenset()))


def _pictures(
    folder: str, shown: str, others: Counter[str], above: frozenset[tuple[int, int]]
) -> Iterator[Entry]:
    about = os.stat(folder)
    here = (about.st_dev, about.st_ino)
    if here in above:  # a link back to where we come from
        return
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(name)
            elif _is_picture(name):
                yield _entry(entry, f"{shown}/{name}")
            else:
                others[_kind(name)] += 1
    for name in folders:
        yield from _pictures(f"{folder}/{name}", f"{shown}/{name}", others, above | {here})


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _kind(name: str) -> str:
    return os.path.splitext(name)[1].lower() or name


def _entry(entry: os.DirEntry[str], shown: str) -> Entry:
    try:
        about = entry.stat()
    except FileNotFoundError:  # a link that leads nowhere is a broken picture
        return shown, -1, -1
    return shown, about.st_size, about.st_mtime_ns
