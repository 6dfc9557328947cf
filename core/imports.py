"""Loading many modules quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Imports only add objects: every look for garbage among them is in vain, and all those looks
    together take a quarter of the time that torch needs to load. What was loaded is not looked at
    again, which also lets forked processes share its pages."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
