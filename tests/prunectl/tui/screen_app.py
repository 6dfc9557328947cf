"""The smallest application that can wear one screen of the console."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from prunectl.tui import themes
from prunectl.tui.drawing import Look

JOURNALS = Path(__file__).parents[2] / "journals"


class ScreenApp(App[None]):
    """Shows a screen and keeps the messages that reach it."""

    def __init__(self, screen: Screen[Any], theme: str = "dark", *, plain: bool = False) -> None:
        super().__init__()
        self.first = screen
        self.read_only = False
        self.look = Look(ascii=plain)
        self.launched: list[Any] = []
        self.said: list[str] = []
        self.animation_level = "none"
        for name in themes.NAMES:
            self.register_theme(themes.theme(name))
        self.theme = f"prunectl-{theme}"

    def on_mount(self) -> None:
        self.push_screen(self.first)

    def on_launch_screen_launched(self, message: Any) -> None:
        self.launched.append(message)

    def notify(self, message: str, **options: Any) -> None:  # type: ignore[override]  # any further options
        assert options.get("markup") is False
        self.said.append(message)


async def until(pilot: Pilot[None], met: Callable[[], object], seconds: float = 10.0) -> None:
    """Let the application work until something holds; fails when it never does."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it never came"
        await pilot.pause(0.02)
    await pilot.pause()
