"""Screens as text, compared with the files in ``snapshots/``, over sizes and themes.

After a wanted change: ``pytest tests/prunectl/tui --update-snapshots``, and look at the difference.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded import DIVERGED, FINISHED, RESUMED, copy_runs
from test_tui_screens import until

from core.runs import Run
from prunectl.tui.app import Console
from prunectl.tui.screens.run import RunScreen

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
    "help-80x24": (FINISHED, (80, 24), "dark", False, ("question_mark",)),
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


async def picture(
    folder: Path, run: str, size: tuple[int, int], theme: str, plain: bool, keys: tuple[str, ...]
) -> str:
    """The screen after some keys, as text."""
    app = Console(folder, Run(folder / run) if run else None, theme=theme, plain=plain)
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        await until(
            lambda: (
                len(screen.known.scores) == len(list((folder / run / "scores").glob("*")))
                and screen.known.read_all
                if isinstance(screen, RunScreen)
                else screen.complete  # type: ignore[attr-defined]
            )
        )
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        rows = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
        return "\n".join(rows) + "\n"


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
