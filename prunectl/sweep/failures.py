"""What a worker's end means, as words and as an error."""

from __future__ import annotations

import signal

from core import slots
from core.errors import MachineError, PrunectlError, RunFailure, UserError


def death(code: int) -> str:
    """How a process ended, by its exit code; negative: by a signal."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def error_of(failed: slots.Failed) -> PrunectlError:
    """What failed in a worker, as an error of this process."""
    kinds: dict[int, type[PrunectlError]] = {2: UserError, 4: MachineError}
    return kinds.get(failed.exit_code, RunFailure)(failed.what, failed.todo)
