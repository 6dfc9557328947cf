"""Who decodes: this process alone, or a crew of decoding processes fed by one thread each."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any, cast

from core.data._decoder import Place, Target, decode_chunk, job, opening, receive, send
from core.errors import MachineError

_TICK_SECONDS = 0.25
_PILLOW = {"PILLOW_BLOCK_SIZE": "262144", "PILLOW_BLOCKS_MAX": "16", "PILLOW_ALIGNMENT": "64"}
"""Pillow keeps the memory of a picture (4 MB at most) for the next one: given back and asked for
again among this process's other buffers, it came to lie where decoding was up to a tenth slower."""

Jobs = Iterator[tuple[int, list[str | bytes]]]
"""(chunk, its pictures)."""
Where = Callable[[int], Place]
"""Where the pictures of a chunk go."""
Answers = Iterator[tuple[int, int, dict[str, Any]] | None]
"""(chunk, number of pictures, what :func:`decode_chunk` answers); None where nothing is new."""


def inline(target: Target, where: Where, jobs: Jobs, workers: int) -> Answers:
    """One after the other in this process: for few pictures a start of processes costs more."""
    for chunk, sources in jobs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = decode_chunk(target, where(chunk), sources)
        yield chunk, len(sources), answer


def in_processes(target: Target, where: Where, jobs: Jobs, workers: int) -> Answers:
    """By ``workers`` processes, in the order they finish; a None now and then keeps the caller
    awake. MachineError when a process dies; an error of ``jobs`` is raised here."""
    crew = _Crew(target, where, jobs, workers)
    try:
        yield from crew.answers()
    finally:
        crew.dismiss()


class _Crew:
    def __init__(self, target: Target, where: Where, jobs: Jobs, workers: int) -> None:
        self._target = target
        self._where = where
        self._jobs = jobs
        self._one_at_a_time = threading.Lock()
        self._said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._over = threading.Event()
        self._children = [_decoder() for _ in range(workers)]
        self._threads = [
            threading.Thread(target=self._feed, args=(child,), daemon=True)
            for child in self._children
        ]
        for thread in self._threads:
            thread.start()

    def answers(self) -> Answers:
        """What comes back, until every process is through."""
        working = len(self._threads)
        while working:
            try:
                item = self._said.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if item is None:
                working -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item

    def dismiss(self) -> None:
        """End all processes and threads, in whatever they are."""
        self._over.set()
        for child in self._children:
            child.kill()
        for child, thread in zip(self._children, self._threads, strict=True):
            thread.join()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):  # what could not be sent to a dead process
                    cast(IO[bytes], pipe).close()

    def _feed(self, child: subprocess.Popen[bytes]) -> None:
        """Chunk after chunk until there is none. Errors are handed to the caller's thread."""
        try:
            self._talk(cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout))
        except (EOFError, BrokenPipeError):
            self._said.put(_died(child.wait()))
        except BaseException as error:
            self._said.put(error)
        self._said.put(None)

    def _talk(self, to: IO[bytes], back: IO[bytes]) -> None:
        send(to, opening(self._target))
        while not self._over.is_set():
            with self._one_at_a_time:
                chunk, sources = next(self._jobs, (-1, []))
            if chunk < 0:
                return
            send(to, *job(self._where(chunk), sources))
            self._said.put((chunk, len(sources), receive(back)[0]))


def _decoder() -> subprocess.Popen[bytes]:
    """A decoding process, in a session of its own: Ctrl-C in a terminal is for its parent."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "core.data._decoder"],
        env={**_PILLOW, **os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _died(code: int) -> MachineError:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return MachineError(
        f"a decoding process {how}", "prepare again, it goes on where it was; perhaps fewer workers"
    )
