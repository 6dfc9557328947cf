"""A decoding process: ``python -P -m core.data._decoder`` reads jobs from stdin, writes pixels into
a file and answers on stdout. It loads neither torch nor the rest of ``core``, and it ends when its
stdin does, so none outlives its parent, however that died.

A message is two lengths (JSON, bytes), JSON, bytes. The first names the file and the shape; each
further one is a chunk: of each picture its path, or the length of its bytes, which follow.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from core.data._pixels import Broken, Pixels, decode

_LENGTHS = struct.Struct(">QQ")


@dataclass(frozen=True)
class Target:
    """Where pixels go: a flat file of uint8 [N, height, width, channels].

    ``size`` is the side pictures are brought to, None when they have to be of this shape already.
    """

    file: str
    shape: tuple[int, int, int]
    size: int | None

    @property
    def row_bytes(self) -> int:
        """Bytes of one picture."""
        height, width, channels = self.shape
        return height * width * channels


def decode_chunk(target: Target, first: int, sources: Sequence[str | bytes]) -> dict[str, Any]:
    """Decode the rows ``first``... into the file; the answer for the parent.

    ``crc`` of the pixels; ``broken``: [[row, why]]; ``odd``: [[row, height, width]] of pictures
    with another shape. Rows of both stay black.
    """
    block: Pixels = np.zeros((len(sources), *target.shape), dtype=np.uint8)
    broken: list[tuple[int, str]] = []
    odd: list[tuple[int, int, int]] = []
    for i, source in enumerate(sources):
        try:
            pixels = decode(source, target.size, target.shape[2])
        except Broken as error:
            broken.append((first + i, str(error)))
            continue
        if pixels.shape == target.shape:
            block[i] = pixels
        else:
            odd.append((first + i, *pixels.shape[:2]))
    _write(target, first, block)
    return {"crc": zlib.crc32(block.data), "broken": broken, "odd": odd}


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


def _write(target: Target, first: int, block: Pixels) -> None:
    """Plain writes: a full disk is an OSError, where a memory map would kill the process."""
    view = block.data.cast("B")
    descriptor = os.open(target.file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        offset = first * target.row_bytes
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
    finally:
        os.close(descriptor)


def _answer(target: Target, job: dict[str, Any], blob: bytes) -> dict[str, Any]:
    sources: list[str | bytes] = []
    start = 0
    for told in job["sources"]:
        if isinstance(told, str):
            sources.append(told)
        else:
            sources.append(blob[start : start + told])
            start += told
    try:
        return decode_chunk(target, job["first"], sources)
    except OSError as error:
        return {"errno": error.errno, "filename": error.filename}


def main() -> None:
    """Answer chunks until stdin ends."""
    warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable files
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    try:
        about, _ = receive(stdin)
        target = Target(about["file"], tuple(about["shape"]), about["size"])
        while True:
            job, blob = receive(stdin)
            send(stdout, _answer(target, job, blob))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return


if __name__ == "__main__":
    main()
