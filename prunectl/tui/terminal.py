"""``prunectl tui``: is this a terminal that can show it, and then show it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.errors import MachineError, UserError, nearest
from core.runs import Run, runs_folder
from core.sweeps import Sweep, find

THEMES = ("dark", "light", "safe", "mono")


def tui(
    text: str | None, *, runs_dir: Path | None, read_only: bool, plain: bool, low_bandwidth: bool,
    mouse: bool, theme: str | None,
) -> int:  # fmt: skip
    """Open the console; its exit code (0, or 128 and the signal that ended it)."""
    if theme is not None and theme not in THEMES:
        raise UserError(f"no theme is called '{theme}'", nearest(theme, THEMES))
    _check_terminal()
    folder = runs_folder(runs_dir)
    run = find(folder, text) if text is not None else None
    if run is not None and run.runs != folder:
        folder = run.runs
    return _show(folder, run, read_only=read_only or _unwritable(folder, run), plain=plain,
                 low_bandwidth=low_bandwidth, mouse=mouse, theme=theme)  # fmt: skip


def _check_terminal() -> None:
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise MachineError(
            "the console needs a terminal that can move its cursor (TERM is "
            f"'{os.environ.get('TERM', '')}'); see `prunectl ls`, `prunectl logs`"
        )
    streams = {"stdin": sys.stdin, "stdout": sys.stdout, "stderr": sys.stderr}
    other = [name for name, stream in streams.items() if not stream.isatty()]
    if other:  # Textual reads the first and draws on the last
        raise MachineError(
            f"the console needs a terminal, and {' and '.join(other)} is none; "
            "see `prunectl ls`, `prunectl logs`"
        )


def _unwritable(folder: Path, run: Run | Sweep | None) -> bool:
    place = run.path if run is not None else folder
    return place.exists() and not os.access(place, os.W_OK)


def _show(
    folder: Path, run: Run | Sweep | None, *, read_only: bool, plain: bool, low_bandwidth: bool,
    mouse: bool, theme: str | None,
) -> int:  # fmt: skip
    from prunectl.tui import hangup
    from prunectl.tui.app import Console

    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    console = Console(
        folder, run, read_only=read_only, plain=plain or encoding != "utf8",
        low_bandwidth=low_bandwidth, theme=theme,
    )  # fmt: skip
    hangup.watch(_descriptors(), console.leave_from_thread)
    code = console.run(mouse=mouse)
    ended = console.return_code or code or 0
    if ended == hangup.CODE:
        hangup.abandon()
    return ended


def _descriptors() -> tuple[int, int]:
    """What Textual reads from and draws on."""
    return sys.stdin.fileno(), sys.stderr.fileno()
