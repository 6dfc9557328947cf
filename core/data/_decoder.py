"""A decoding process: ``python -P -m core.data._decoder`` reads jobs from stdin, writes pixels into
files and answers on stdout. It loads neither torch nor the rest of ``core``, and it ends when its
stdin does, so none outlives its parent, however that died.

A message is two lengths (JSON, bytes), JSON, bytes. The first names the files and the shape; each
further one is a chunk: where its pictures go, and of each its path, or the length of its bytes,
which follow.
"""

from __future__ import annotations

import gc
import json
import os
import struct
import sys
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

import numpy as np

from core.data._pixels import Broken, Pixels, decode
from core.data._sums import channel_sums

_LENGTHS = struct.Struct(">QQ")


@dataclass(frozen=True)
class Target:
    """Where pixels go: a file of each part of the dataset, uint8 [N, height, width, channels] after
    a header of so many bytes.

    ``size`` is the side pictures are brought to, None when they have to be of this shape already.
    """

    files: tuple[str, ...]
    headers: tuple[int, ...]
    shape: tuple[int, int, int]
    size: int | None

    @property
    def row_bytes(self) -> int:
        """Bytes of one picture."""
        height, width, channels = self.shape
        return height * width * channels


@dataclass(frozen=True)
class Place:
    """Where the pictures of a chunk go: ``part`` of each picture, and in the file of each part the
    row of the ``first`` one; the others of that part follow."""

    part: list[int]
    first: list[int]


def decode_chunk(target: Target, place: Place, sources: Sequence[str | bytes]) -> dict[str, Any]:
    """Decode pictures into the files; the answer for the parent.

    ``crc`` of the pixels, part after part; ``sums`` over the first part's channels;
    ``broken``: [[number in the chunk, why]]; ``odd``: [[number, height, width]] of pictures with
    another shape. Both are left black.
    """
    block: Pixels = np.empty((len(sources), *target.shape), dtype=np.uint8)
    part = np.array(place.part[: len(sources)], dtype=np.int64)
    slots = np.empty(len(sources), dtype=np.int64)
    slots[np.argsort(part, kind="stable")] = np.arange(len(sources))
    broken: list[tuple[int, str]] = []
    odd: list[tuple[int, int, int]] = []
    for i, (slot, source) in enumerate(zip(slots.tolist(), sources, strict=True)):
        try:
            pixels = decode(source, target.size, target.shape[2])
        except Broken as error:
            broken.append((i, str(error)))
            block[slot] = 0
            continue
        if pixels.shape == target.shape:
            block[slot] = pixels
        else:
            odd.append((i, *pixels.shape[:2]))
            block[slot] = 0
    counts = np.bincount(part, minlength=len(target.files)).tolist()
    start = 0
    for number, count in enumerate(counts):
        _write(target, number, place.first[number], block[start : start + count])
        start += count
    sums = channel_sums(block[: counts[0]]).tolist()
    return {"crc": zlib.crc32(block.data), "sums": sums, "broken": broken, "odd": odd}


def send(stream: IO[bytes], message: dict[str, Any], blob: Sequence[bytes] = ()) -> None:
    """Write one message."""
    text = json.dumps(message).encode()
    stream.write(_LENGTHS.pack(len(text), sum(map(len, blob))) + text)
    for part in blob:
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read one message. EOFError when the other side is gone."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        raise EOFError
    text, blob = _LENGTHS.unpack(lengths)
    message, rest = stream.read(text), stream.read(blob)
    if len(message) < text or len(rest) < blob:
        raise EOFError
    return json.loads(message), rest


def opening(target: Target) -> dict[str, Any]:
    """The first message to a decoding process."""
    return asdict(target)


def job(place: Place, sources: Sequence[str | bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """A further message: a chunk, and the bytes that come with it."""
    told = [len(source) if isinstance(source, bytes) else source for source in sources]
    blobs = [source for source in sources if isinstance(source, bytes)]
    return {**asdict(place), "sources": told}, blobs


def _write(target: Target, number: int, first: int, block: Pixels) -> None:
    """Plain writes: a full disk is an OSError, where a memory map would kill the process."""
    if not len(block):
        return
    view = block.data.cast("B")
    descriptor = os.open(target.files[number], os.O_WRONLY | os.O_CLOEXEC)
    try:
        offset = target.headers[number] + first * target.row_bytes
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
    finally:
        os.close(descriptor)


def _answer(target: Target, message: dict[str, Any], blob: bytes) -> dict[str, Any]:
    sources: list[str | bytes] = []
    start = 0
    for told in message["sources"]:
        if isinstance(told, str):
            sources.append(told)
        else:
            sources.append(blob[start : start + told])
            start += told
    try:
        return decode_chunk(target, Place(message["part"], message["first"]), sources)
    except OSError as error:
        return {"errno": error.errno, "filename": error.filename}


def main() -> None:
    """Answer chunks until stdin ends."""
    warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable files
    gc.freeze()  # what is loaded stays: no need to look through it again and again
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    try:
        about, _ = receive(stdin)
        shape = (about["shape"][0], about["shape"][1], about["shape"][2])
        target = Target(tuple(about["files"]), tuple(about["headers"]), shape, about["size"])
        while True:
            message, blob = receive(stdin)
            send(stdout, _answer(target, message, blob))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return


if __name__ == "__main__":
    main()
