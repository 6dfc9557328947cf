"""Many encoded pictures to one array a part on disk, by as many processes as there are cores.

Pixels go straight from the decoding processes to where they stay; this process hands out chunks,
notes each finished one with its checksum, and hashes what is whole from the front on. Files and
notes lie in ``.decode-<key>`` beside the dataset that is being prepared and stay there when it
fails, is stopped or killed, so the next attempt goes on where this one was; a finished dataset
takes the files over and removes the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from core.data import _npy as npy
from core.data._crew import in_processes, inline
from core.data._decoder import Place
from core.data._fingerprints import Fingerprints
from core.data._layout import Ids, Layout
from core.data._statistics import Floats, scale_of
from core.data.bank import Written
from core.data.base import Progress
from core.errors import DiskFull, MachineError, UserError
from core.locks import locked
from core.units import digest

VERSION = 2
"""Raised whenever a picture would be decoded to other pixels, or noted in another way."""

CHUNK_ROWS, CHUNK_BYTES = 64, 8 << 20


class Pictures(Protocol):
    """N encoded pictures in the order of their rows."""

    def __len__(self) -> int: ...

    def name(self, row: int) -> str:
        """How the user knows a picture."""

    def chunks(self, rows: int, done: Container[int]) -> Iterator[tuple[int, list[str | bytes]]]:
        """(number, its paths or encoded bytes) of each chunk of ``rows`` that is not done."""


@dataclass(frozen=True)
class Decoded:
    """``layout``: the pixels, black where a row is in ``broken``: {row: why}. Without any broken
    ones the parts are ready: ``written`` by name, ``scale`` (mean, std) of the first part."""

    layout: Layout
    broken: dict[int, str]
    written: dict[str, Written]
    scale: tuple[Floats, Floats]


@contextmanager
def decoded(
    pictures: Pictures,
    key: object,
    out: Path,
    parts: Mapping[str, Ids],
    shape: tuple[int, int, int],
    size: int | None,
    progress: Progress | None = None,
    workers: int | None = None,
    copies: int = 0,
) -> Iterator[Decoded]:
    """Decode all pictures to ``shape`` (H, W, C), ``size`` as in :class:`Target`.

    ``key`` is what the encoded pictures depend on, ``parts`` as in :class:`Layout`. ``out`` is the
    folder the dataset is written to; the pixels lie beside it until the body has succeeded.
    ``progress`` is told the pictures done but the last, which counts when the body is through.
    ``copies``: how often the pixels may have to be copied, for which there must be room.
    UserError for a picture of another shape, DiskFull before anything is written, MachineError when
    a process dies.
    """
    order = {part: npy.digest(ids) for part, ids in parts.items()}
    about = {"version": VERSION, "key": key, "shape": shape, "size": size, "parts": order}
    name = digest(about)[:12]
    work = out.with_name(f".decode-{name}")

    def check() -> None:  # while another process decodes the same pictures
        if progress is not None:
            progress(0, len(pictures))

    with locked(out.with_name(f".decode-{name}.lock"), check=check):
        work.mkdir(exist_ok=True)
        layout = Layout(work, parts, shape, size)
        engine = _Engine(pictures, layout, work / "done.jsonl", progress)
        try:
            result = engine.run(workers or _cores(), copies)
        except UserError:  # other options or other pictures are needed, so another key
            shutil.rmtree(work, ignore_errors=True)
            raise
        finally:
            engine.close()
        yield result
        shutil.rmtree(work, ignore_errors=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Engine:
    def __init__(
        self, pictures: Pictures, layout: Layout, notes: Path, progress: Progress | None
    ) -> None:
        self._pictures = pictures
        self._layout = layout
        self._notes = notes
        self._progress = progress
        self._rows = max(1, min(CHUNK_ROWS, CHUNK_BYTES // layout.target.row_bytes))
        self._done: set[int] = set()
        self._count = 0
        self._broken: dict[int, str] = {}
        self._sums = np.zeros((2, layout.target.shape[2]), dtype=np.int64)
        self._prints = Fingerprints(layout)
        self._hashed = 0

    def run(self, workers: int, copies: int) -> Decoded:
        total = len(self._pictures)
        self._resume()
        missing = -(-total // self._rows) - len(self._done)
        self._check_disk(total - self._count + copies * total)
        if not self._done:
            self._layout.create()
        jobs = self._pictures.chunks(self._rows, frozenset(self._done))
        with self._notes.open("a", encoding="utf-8") as notes:
            answers = inline if missing <= 1 or workers == 1 else in_processes
            target, where = self._layout.target, self._where
            for item in answers(target, where, jobs, min(workers, missing)):
                if item is not None:
                    self._take(*item, notes)
                self._tell()
        if self._count != total:
            raise MachineError(
                f"{total - self._count} pictures have vanished while they were read",
                "prepare again",
            )
        return self._result()

    def close(self) -> None:
        """End what is still at work."""
        self._prints.stop()

    def _result(self) -> Decoded:
        layout = self._layout
        written = {
            part: Written(file, fingerprint)
            for (part, file), fingerprint in zip(
                layout.files.items(), self._prints.finish(), strict=True
            )
        }
        number, height, width, _ = layout.shapes()[0]
        return Decoded(layout, self._broken, written, scale_of(self._sums, number * height * width))

    def _where(self, chunk: int) -> Place:
        first = chunk * self._rows
        return self._layout.place(first, first + self._rows_of(chunk))

    def _resume(self) -> None:
        """Take over what an earlier attempt finished, as far as its checksums are right."""
        if not self._layout.is_there() or not self._notes.is_file():
            self._notes.unlink(missing_ok=True)
            return
        kept = []
        for line in self._notes.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # the last line may be torn
                note = json.loads(line)
                if note["chunk"] not in self._done and self._whole(note):
                    self._count_in(note)
                    kept.append(line + "\n")
            self._tell()
        self._notes.write_text("".join(kept), encoding="utf-8")

    def _whole(self, note: dict[str, Any]) -> bool:
        first, number, crc = note["chunk"] * self._rows, self._rows_of(note["chunk"]), 0
        for _, piece in self._layout.read(first, first + number):
            crc = zlib.crc32(piece, crc)
        return number > 0 and crc == int(note["crc"])

    def _rows_of(self, chunk: int) -> int:
        return min(self._rows, len(self._pictures) - chunk * self._rows)

    def _count_in(self, note: dict[str, Any]) -> None:
        first = int(note["chunk"]) * self._rows
        self._sums += np.array(note["sums"], dtype=np.int64).reshape(self._sums.shape)
        self._broken.update((first + int(row), str(why)) for row, why in note["broken"])
        self._done.add(int(note["chunk"]))
        self._count += self._rows_of(int(note["chunk"]))
        start = self._hashed
        while self._hashed in self._done:
            self._hashed += 1
        self._prints.add(start * self._rows, min(self._hashed * self._rows, len(self._pictures)))

    def _take(self, chunk: int, sources: int, answer: dict[str, Any], notes: IO[str]) -> None:
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"] or 0), answer["filename"])
        if answer["odd"]:
            number, height, width = answer["odd"][0]
            high, wide, _ = self._layout.target.shape
            name = self._pictures.name(chunk * self._rows + number)
            what = f"'{name}' is {width}x{height}, the first picture {wide}x{high}"
            raise UserError(what, "set data.size, such as 64, to bring all to one size")
        if sources != self._rows_of(chunk):
            return  # cut short: noticed at the end by the count
        note = {"chunk": chunk, **{key: answer[key] for key in ("crc", "sums", "broken")}}
        notes.write(json.dumps(note) + "\n")
        notes.flush()
        self._count_in(note)

    def _tell(self) -> None:
        if self._progress is not None:
            total = len(self._pictures)
            self._progress(min(self._count, total - 1), total)

    def _check_disk(self, pictures: int) -> None:
        """Room for the pixels of so many pictures."""
        need = pictures * self._layout.target.row_bytes
        free = shutil.disk_usage(self._notes.parent).free
        if need > free:
            what = f"no room for the data in {self._notes.parent.parent}"
            raise DiskFull(
                f"{what} (need {need:,} bytes while preparing, have {free:,})",
                "free some, or set PRUNECTL_DATA",
            )
