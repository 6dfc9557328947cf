"""Notices that the terminal is gone, also when no signal says so.

A terminal that vanishes sends SIGHUP to the session it controls; a process of another session hears
nothing, and a main thread that waits to write to a dead terminal hears no signal either. A thread
that waits in ``poll`` costs nothing and hears both.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterable

CODE = 129
"""128 and SIGHUP, as a shell reports it."""
_GRACE = 1.0
_GONE = select.POLLHUP | select.POLLERR


def abandon() -> None:
    """Let what is still buffered go nowhere: Python flushes it at its end, and a terminal that is
    gone would turn the exit code into 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def watch(
    descriptors: Iterable[int], ask: Callable[[], object], *,
    end: Callable[[int], object] = os._exit, grace: float = _GRACE,
) -> threading.Thread:  # fmt: skip
    """Wait in a daemon thread for any of the terminals to be gone; then ``ask`` the application to
    leave, and ``end`` the process with 129 when it has not after ``grace`` seconds.

    Ended that way nothing is restored: there is no terminal any more. Runs are processes of their
    own and go on.
    """
    poller = select.poll()
    for descriptor in set(descriptors):
        poller.register(descriptor, 0)  # hang-ups and errors are told unasked

    def wait() -> None:
        if not any(flags & _GONE for _, flags in poller.poll()):
            return  # POLLNVAL: a system whose poll knows no terminals
        ask()
        threading.Event().wait(grace)
        end(CODE)

    thread = threading.Thread(target=wait, name="hang-up", daemon=True)
    thread.start()
    return thread
