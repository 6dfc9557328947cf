"""Where prepared data lies when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import MachineError


def default_cache_root() -> Path:
    """``$PRUNECTL_DATA``, else ``~/.cache/prunectl``, absolute."""
    try:
        chosen = Path(os.environ.get("PRUNECTL_DATA") or "~/.cache/prunectl").expanduser()
    except RuntimeError as error:
        raise MachineError("this user has no home folder", "set PRUNECTL_DATA") from error
    return Path(os.path.abspath(chosen))
