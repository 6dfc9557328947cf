"""Many encoded pictures to one array on disk, by as many processes as there are cores.

Pixels go straight from the decoding processes into a flat file; this process hands out chunks and
notes each finished one with its checksum. File and notes lie in ``.decode-<key>`` beside the
dataset that is being prepared and stay there when it fails, is stopped or killed, so the next
attempt goes on where this one was; a finished dataset removes them.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from core.data._crew import in_processes, inline
from core.data._decoder import Target
from core.data._pixels import Pixels
from core.data.base import Progress
from core.errors import DiskFull, MachineError, UserError
from core.locks import locked
from core.units import digest

VERSION = 1
"""Raised whenever a picture would be decoded to other pixels."""

CHUNK_ROWS, CHUNK_BYTES = 256, 8 << 20


class Pictures(Protocol):
    """N encoded pictures in the order of their rows."""

    def __len__(self) -> int: ...

    def name(self, row: int) -> str:
        """How the user knows a picture."""

    def chunks(self, rows: int, done: Container[int]) -> Iterator[tuple[int, list[str | bytes]]]:
        """(number, its paths or encoded bytes) of each chunk of ``rows`` that is not done."""


@dataclass(frozen=True)
class Decoded:
    """``inputs``: uint8 [N,H,W,C], black where a row is in ``broken``: {row: why}."""

    inputs: Pixels
    broken: dict[int, str]


@contextmanager
def decoded(
    pictures: Pictures,
    key: object,
    out: Path,
    shape: tuple[int, int, int],
    size: int | None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Iterator[Decoded]:
    """Decode all pictures to ``shape`` (H, W, C), ``size`` as in :class:`Target`.

    ``key`` is what the encoded pictures depend on. ``out`` is the folder the dataset is written to;
    the pixels lie beside it until the body has succeeded. ``progress`` is told the pictures done
    but the last, which counts when the body is through. UserError for a picture of another shape,
    DiskFull before anything is written, MachineError when a process dies.
    """
    name = digest({"version": VERSION, "key": key, "shape": shape, "size": size})[:12]
    work = out.with_name(f".decode-{name}")

    def check() -> None:  # while another process decodes the same pictures
        if progress is not None:
            progress(0, len(pictures))

    with locked(out.with_name(f".decode-{name}.lock"), check=check):
        work.mkdir(exist_ok=True)
        target = Target(str(work / "pixels.raw"), shape, size)
        engine = _Engine(pictures, target, work / "done.jsonl", progress)
        try:
            result = engine.run(workers or _cores())
        except UserError:  # other options or other pictures are needed, so another key
            shutil.rmtree(work, ignore_errors=True)
            raise
        yield result
        shutil.rmtree(work, ignore_errors=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Engine:
    def __init__(
        self, pictures: Pictures, target: Target, notes: Path, progress: Progress | None
    ) -> None:
        self._pictures = pictures
        self._target = target
        self._notes = notes
        self._progress = progress
        self._rows = max(1, min(CHUNK_ROWS, CHUNK_BYTES // target.row_bytes))
        self._done: set[int] = set()
        self._count = 0
        self._broken: dict[int, str] = {}

    def run(self, workers: int) -> Decoded:
        total = len(self._pictures)
        file = Path(self._target.file)
        self._resume(file, total * self._target.row_bytes)
        missing = -(-total // self._rows) - len(self._done)
        self._check_disk(total, total - self._count)
        with file.open("ab") as handle:
            handle.truncate(total * self._target.row_bytes)
        jobs = self._pictures.chunks(self._rows, frozenset(self._done))
        with self._notes.open("a", encoding="utf-8") as notes:
            answers = inline if missing <= 1 or workers == 1 else in_processes
            for item in answers(self._target, self._rows, jobs, min(workers, missing)):
                if item is not None:
                    self._take(*item, notes)
                self._tell()
        if self._count != total:
            raise MachineError(
                f"{total - self._count} pictures have vanished while they were read",
                "prepare again",
            )
        inputs = np.memmap(file, np.uint8, "r", shape=(total, *self._target.shape))
        return Decoded(inputs, self._broken)

    def _resume(self, file: Path, size: int) -> None:
        """Take over what an earlier attempt finished, as far as its checksums are right."""
        if not file.is_file() or file.stat().st_size != size or not self._notes.is_file():
            self._notes.unlink(missing_ok=True)
            return
        kept = []
        with file.open("rb") as pixels:
            for line in self._notes.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # the last line may be torn
                    note = json.loads(line)
                    if note["chunk"] not in self._done and self._whole(pixels, note):
                        self._count_in(note)
                        kept.append(line + "\n")
                self._tell()
        self._notes.write_text("".join(kept), encoding="utf-8")

    def _whole(self, pixels: IO[bytes], note: dict[str, Any]) -> bool:
        first, number = note["chunk"] * self._rows, self._rows_of(note["chunk"])
        pixels.seek(first * self._target.row_bytes)
        return number > 0 and zlib.crc32(pixels.read(number * self._target.row_bytes)) == int(
            note["crc"]
        )

    def _rows_of(self, chunk: int) -> int:
        return min(self._rows, len(self._pictures) - chunk * self._rows)

    def _count_in(self, note: dict[str, Any]) -> None:
        self._broken.update((int(row), str(why)) for row, why in note["broken"])
        self._done.add(int(note["chunk"]))
        self._count += self._rows_of(int(note["chunk"]))

    def _take(self, chunk: int, sources: int, answer: dict[str, Any], notes: IO[str]) -> None:
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"] or 0), answer["filename"])
        if answer["odd"]:
            row, height, width = answer["odd"][0]
            high, wide, _ = self._target.shape
            what = (
                f"'{self._pictures.name(row)}' is {width}x{height}, the first picture {wide}x{high}"
            )
            raise UserError(what, "set data.size, such as 64, to bring all to one size")
        if sources != self._rows_of(chunk):
            return  # cut short: noticed at the end by the count
        note = {"chunk": chunk, "crc": answer["crc"], "broken": answer["broken"]}
        notes.write(json.dumps(note) + "\n")
        notes.flush()
        self._count_in(note)

    def _tell(self) -> None:
        if self._progress is not None:
            total = len(self._pictures)
            self._progress(min(self._count, total - 1), total)

    def _check_disk(self, total: int, missing: int) -> None:
        """Room for the pixels that are missing and for the bank they are copied into."""
        need = (total + missing) * self._target.row_bytes
        free = shutil.disk_usage(self._notes.parent).free
        if need > free:
            what = f"no room for the data in {self._notes.parent.parent}"
            raise DiskFull(
                f"{what} (need {need:,} bytes while preparing, have {free:,})",
                "free some, or set PRUNECTL_DATA",
            )
