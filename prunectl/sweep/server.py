"""The process that workers are forked from. It loads for seconds, so it is begun before anything
else and loads while the rest gets ready."""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

_LOADS = ["core.warm"]


def begin() -> ForkServerContext:
    """Start the server unless it runs already; does not wait for it. What to fork workers with."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADS)
    forkserver.ensure_running()
    return context
