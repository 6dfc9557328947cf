"""Every error a user can meet: one line that says what is wrong, one that says what to do.

``exit_code`` is the process's (0 ok, 1 the run failed, 2 what the user wrote or named, 4 the
machine); ``kind`` is what the journal and ``state.json`` carry as ``reason``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PrunectlError(Exception):
    """Base of all errors that are shown without a traceback."""

    kind = "failed"
    exit_code = 1

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(f"{what}; {todo}" if todo else what)
        self.what = what
        self.todo = todo


class UserError(PrunectlError):
    """What the user wrote or named is wrong: a key, a value, a file, a run."""

    kind = "bad_input"
    exit_code = 2


class MachineError(PrunectlError):
    """The machine cannot do it: disk, permission, a missing package or device."""

    kind = "environment"
    exit_code = 4


class RunFailure(PrunectlError):
    """The run itself failed while it was computing."""


class Diverged(RunFailure):
    """A loss became NaN or infinite."""

    kind = "diverged"


class OutOfMemory(RunFailure):
    """The device has not enough memory for what was asked."""

    kind = "oom"


class DiskFull(MachineError):
    """No space left where the run writes."""

    kind = "disk_full"


class CellsFailed(RunFailure):
    """Some cells of a sweep failed; the others are not touched by it."""

    kind = "cells_failed"
    exit_code = 3


class Stopped(PrunectlError):
    """A graceful stop was asked for and the state is safe on disk. Not a failure."""

    kind = "stopped"
    exit_code = 130


class NeedsLabels(Stopped):
    """All is done that can be without labels of the samples that were chosen. Not a failure."""

    kind = "needs_labels"
    exit_code = 0


def nearest(word: str, valid: Iterable[str]) -> str:
    """A phrase naming the valid word closest to ``word``, or listing them when none is close."""
    names = sorted(valid)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return "there are none" if not names else "valid: " + ", ".join(names)
