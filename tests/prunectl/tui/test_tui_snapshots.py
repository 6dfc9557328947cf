"""Screens as text and as pictures, compared with the files in ``snapshots/``.

A picture (``.svgz``, opened by any browser) also holds colours; one that differs is left in the
test's folder.

After a wanted change: ``pytest tests/prunectl/tui --update-snapshots``, and look at the difference.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from recorded import DIVERGED, FINISHED, RESUMED, SWEEP, copy_runs, copy_sweep
from test_tui_screens import until

from core.runs import Run
from core.sweeps import Sweep
from prunectl.tui.app import Console
from prunectl.tui.screens.run import RunScreen
from prunectl.tui.screens.sweep import SweepScreen

SNAPSHOTS = Path(__file__).with_name("snapshots")
CASES = {
    "runs-80x24": ("", (80, 24), "dark", False, ()),
    "runs-40x12": ("", (40, 12), "dark", False, ()),
    "runs-filter-80x24": ("", (80, 24), "light", False, ("slash", *"failed")),
    "run-160x50": (FINISHED, (160, 50), "dark", False, ()),
    "run-120x40-mono": (FINISHED, (120, 40), "mono", False, ()),
    "run-80x24": (FINISHED, (80, 24), "safe", False, ()),
    "run-40x12": (FINISHED, (40, 12), "dark", False, ()),
    "run-ascii-80x24": (FINISHED, (80, 24), "mono", True, ("x", "l", "right")),
    "extrapolation-80x24": (FINISHED, (80, 24), "dark", False, ("2",)),
    "tradeoff-80x24": (FINISHED, (80, 24), "light", False, ("3",)),
    "tradeoff-40x12": (FINISHED, (40, 12), "dark", False, ("3",)),
    "cost-80x24": (RESUMED, (80, 24), "dark", False, ("4",)),
    "scores-80x24": (RESUMED, (80, 24), "dark", False, ("5",)),
    "log-diverged-80x24": (DIVERGED, (80, 24), "dark", False, ("6",)),
    "sweep-80x24": (SWEEP, (80, 24), "mono", True, ("right",)),
    "sweep-40x12": (SWEEP, (40, 12), "dark", False, ("f", "v", "v", "v")),
    "help-80x24": (FINISHED, (80, 24), "dark", False, ("question_mark",)),
}
# Over the four sizes and the four themes.
PICTURES = {
    "runs-40x12": ("", (40, 12), "dark", False, ()),
    "runs-80x24": ("", (80, 24), "light", False, ()),
    "run-40x12": (FINISHED, (40, 12), "safe", False, ()),
    "tradeoff-40x12": (FINISHED, (40, 12), "mono", False, ("3",)),
    "run-80x24": (FINISHED, (80, 24), "mono", False, ()),
    "run-cursor-80x24": (FINISHED, (80, 24), "light", False, ("right", "l")),
    "cost-80x24": (RESUMED, (80, 24), "safe", False, ("4",)),
    "help-80x24": (FINISHED, (80, 24), "dark", False, ("question_mark",)),
    "diverged-120x40": (DIVERGED, (120, 40), "dark", False, ()),
    "run-120x40": (FINISHED, (120, 40), "light", False, ()),
    "run-ascii-120x40": (FINISHED, (120, 40), "mono", True, ()),
    "sweep-80x24": (SWEEP, (80, 24), "light", False, ("down", "right")),
    "sweep-160x50": (SWEEP, (160, 50), "safe", False, ()),
    "run-160x50": (FINISHED, (160, 50), "safe", False, ()),
    "resumed-160x50": (RESUMED, (160, 50), "dark", False, ("x",)),
}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log shows the time of day."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def as_text(app: Console) -> str:
    """What the screen in front shows, without colours."""
    rows = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    return "\n".join(rows) + "\n"


def as_svg(app: Console) -> str:
    """What the screen in front looks like. Its names come from its content, so it is the same each
    time."""
    return app.export_screenshot(title="prunectl")


def _all_read(screen: Any, folder: Path) -> bool:
    """Whether the screen has taken in all there is."""
    if isinstance(screen, RunScreen):
        tables = len(list((folder / "scores").glob("*")))
        return screen.known.read_all and len(screen.known.scores) == tables
    return bool(screen.known.read_all if isinstance(screen, SweepScreen) else screen.complete)


async def picture(
    folder: Path, run: str, size: tuple[int, int], theme: str, plain: bool, keys: tuple[str, ...],
    form: Callable[[Console], str] = as_text,
) -> str:  # fmt: skip
    """The screen after some keys."""
    named: Run | Sweep | None = Run(folder / run) if run else None
    if run == SWEEP:
        named = copy_sweep(folder)
    app = Console(folder, named, theme=theme, plain=plain)
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        await until(lambda: _all_read(screen, folder / run))
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        return form(app)


@pytest.mark.parametrize("name", CASES)
def test_the_screen_is_as_it_was(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    run, size, theme, plain, keys = CASES[name]
    copy_runs(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    drawn = asyncio.run(picture(Path("runs"), run, size, theme, plain, keys))
    file = SNAPSHOTS / f"{name}.txt"
    if request.config.getoption("--update-snapshots"):
        file.write_text(drawn, encoding="utf-8")
    assert drawn == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PICTURES)
def test_the_screen_looks_as_it_did(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    run, size, theme, plain, keys = PICTURES[name]
    copy_runs(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    drawn = asyncio.run(picture(Path("runs"), run, size, theme, plain, keys, as_svg))
    file = SNAPSHOTS / f"{name}.svgz"
    if request.config.getoption("--update-snapshots"):
        file.write_bytes(gzip.compress(drawn.encode(), mtime=0))
    if drawn != gzip.decompress(file.read_bytes()).decode():
        other = tmp_path / f"{name}.svg"
        other.write_text(drawn, encoding="utf-8")
        pytest.fail(f"{other} differs from {file}; look at both")
