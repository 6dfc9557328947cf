"""The append-only journal of a run: one JSON object a line, the truth about what happened.

One writer (the run's worker), any number of readers. A reader takes whole lines only, skips what
it cannot parse, and never raises on content, so a torn last line costs that line and no more.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import DiskFull, UserError
from core.events import Event, from_dict

VERSION = 1
_HEAD = 120


@dataclass(frozen=True)
class Record:
    """One line: sequence number, wall-clock time (s), the event; in a sweep's journal also the task
    it is about and that task's cells."""

    seq: int
    ts: float
    event: Event
    cells: tuple[str, ...] = ()
    task: str | None = None


class Journal:
    """The writing end. Opening drops a torn last line and goes on with the next number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _drop_torn_line(path)
        self.seq = max((r.seq for r in read(path)), default=-1) + 1
        self._lock = threading.Lock()  # the heartbeat thread writes device readings
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115  # closed by close()

    def append(
        self, event: Event, *, durable: bool = False, cells: Sequence[str] = (),
        task: str | None = None, ts: float | None = None,
    ) -> int:  # fmt: skip
        """Write one event in one system call; the byte where its line begins. ``durable`` waits
        until it is on the disk. ``ts``: when it happened, if not now."""
        with self._lock:
            now = time.time() if ts is None else ts
            line: dict[str, Any] = {"v": VERSION, "seq": self.seq, "ts": round(now, 3)}
            line["type"] = event.type
            about: dict[str, Any] = {"cells": list(cells)} if cells else {}
            about |= {"task": task} if task else {}
            data = json.dumps({**line, **event.to_dict(), **about}, separators=(",", ":")) + "\n"
            end = os.fstat(self._file.fileno()).st_size
            try:
                self._write(data.encode())
                if durable:
                    os.fsync(self._file.fileno())
            except OSError as error:
                os.ftruncate(self._file.fileno(), end)  # half a line would spoil the next one
                what = f"cannot write {self.path}: {error.strerror}"
                raise DiskFull(what, "free some space, then resume") from error
            self.seq += 1
            return end

    def _write(self, data: bytes) -> None:
        """All of it: a disk that is getting full takes a part without an error."""
        while data:
            data = data[self._file.write(data) :]

    def close(self) -> None:
        """Close the file; the journal stays readable."""
        self._file.close()


class Tail:
    """The following end: each :meth:`poll` returns the whole records that are new.

    A line without its end is read again at the next poll, because a writer that takes over drops it
    and writes another in its place.
    """

    def __init__(self, path: Path, *, without: tuple[str, ...] = ()) -> None:
        """``without``: types of events to pass over unread, for who wants the outline only."""
        self.path = path
        self._offset = 0
        self._without = tuple(f'"type":"{kind}"'.encode() for kind in without)

    @property
    def offset(self) -> int:
        """Bytes of whole lines that were taken so far."""
        return self._offset

    def poll(self, max_bytes: int = 8 << 20) -> list[Record]:
        """New records, at most ``max_bytes`` of journal (or one line) at a time. A missing file:
        none."""
        found: list[Record] = []
        while not found and (lines := self._whole_lines(max_bytes)):
            found = [r for line in lines if not self._passed_over(line) and (r := _parse(line))]
        return found

    def _passed_over(self, line: bytes) -> bool:
        """Judged by the line's head, where the writer puts the type."""
        head = line[:_HEAD]
        return any(kind in head for kind in self._without)

    def _whole_lines(self, max_bytes: int) -> list[bytes]:
        try:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                data = file.read(max_bytes)
                while data and b"\n" not in data and (more := file.read(max_bytes)):
                    data += more
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.split(b"\n")[:-1]


def read(path: Path) -> Iterator[Record]:
    """All whole records of a journal, oldest first. A missing file holds none."""
    tail = Tail(path)
    while records := tail.poll():
        yield from records


def indexed(path: Path) -> Iterator[tuple[int, Record]]:
    """All whole records with the bytes where their lines begin. A missing file holds none."""
    if not path.exists():
        return
    with open(path, "rb") as file:
        offset = 0
        for line in file:
            record = _parse(line) if line.endswith(b"\n") else None
            if record is not None:
                yield offset, record
            offset += len(line)


def records_at(path: Path, offsets: Iterable[int]) -> Iterator[Record]:
    """The records whose lines begin at these bytes, in the order given."""
    with open(path, "rb") as file:
        for offset in offsets:
            file.seek(offset)
            record = _parse(file.readline())
            if record is not None:
                yield record


def _parse(line: bytes) -> Record | None:
    try:
        plain: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(plain, dict):
        return None
    if isinstance(plain.get("v"), int) and plain["v"] > VERSION:
        raise UserError(
            f"the journal was written by a newer version (v{plain['v']})", "upgrade prunectl"
        )
    event = from_dict(plain)
    seq, ts = plain.get("seq"), plain.get("ts")
    if event is None or not isinstance(seq, int) or not isinstance(ts, int | float):
        return None
    try:
        task = plain.get("task")
        cells = _cells(plain, event)
        return Record(seq, float(ts), event, cells, task if isinstance(task, str) else None)
    except OverflowError:
        return None


def _cells(plain: Mapping[str, Any], event: Event) -> tuple[str, ...]:
    """The line's own ``cells``, not a field of the event."""
    found = plain.get("cells")
    if hasattr(event, "cells") or not isinstance(found, list):
        return ()
    return tuple(str(cell) for cell in found)


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with open(path, "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        block, position = b"", end
        while position > 0 and b"\n" not in block:
            step = min(65536, position)
            position = file.seek(position - step)
            block = file.read(step)
            if b"\n" in block:
                file.truncate(position + block.rindex(b"\n") + 1)
                return
        if end and b"\n" not in block:
            file.truncate(0)
