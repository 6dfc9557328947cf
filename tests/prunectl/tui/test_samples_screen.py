"""The samples screen: keys change the wish, pictures come from the bank, troubles are words."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from digits_bank import recorded, truth
from screen_app import ScreenApp, until
from textual.pilot import Pilot

from core.data.locations import default_cache_root
from core.runs import Run
from prunectl.tui.screens.samples import SamplesScreen
from prunectl.tui.widgets.picture import picture_cells

Drive = Callable[[Pilot[None], SamplesScreen], Awaitable[None]]


def _drive(
    run: Run, drive: Drive, size: tuple[int, int] = (80, 24), theme: str = "dark",
    plain: bool = False,
) -> ScreenApp:  # fmt: skip
    async def main() -> ScreenApp:
        screen = SamplesScreen(run)
        app = ScreenApp(screen, theme, plain=plain)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: screen.page is not None)
            await settled(pilot, screen)
            await drive(pilot, screen)
        return app

    return asyncio.run(main())


async def settled(pilot: Pilot[None], screen: SamplesScreen) -> None:
    """Until the page in sight is the one that is wished for."""
    await until(pilot, lambda: screen.page is not None and screen.page.wish == screen.wish)


async def _press(pilot: Pilot[None], screen: SamplesScreen, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot, screen)


def test_keys_walk_through_views_classes_seeds_and_pages(finished: Run) -> None:
    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        seen = []
        for key in ("v", "v", "v", "V", "c", "C", "e", "right", "left"):
            await _press(pilot, screen, key)
            wish = screen.wish
            seen.append((wish.view, wish.label, wish.seed, wish.page))
        assert seen == [
            ("disagreement", None, 0, 0), ("kept", None, 0, 0), ("ends", None, 0, 0),
            ("kept", None, 0, 0), ("kept", 0, 0, 0), ("kept", None, 0, 0), ("kept", None, 1, 0),
            ("kept", None, 1, 1), ("kept", None, 1, 0),
        ]  # fmt: skip

    _drive(finished, drive)


def test_rates_and_methods_show_what_was_kept(finished: Run) -> None:
    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        await _press(pilot, screen, "r")
        assert (screen.wish.view, screen.wish.rate) == ("kept", 0.3)
        await _press(pilot, screen, "r", "m")
        assert (screen.wish.method, screen.wish.rate) == ("random", 0.7)
        assert screen.page is not None
        assert [s.total for s in screen.page.sides] == [377, 881]

    _drive(finished, drive)


def test_the_picture_on_the_screen_is_the_sample_s(finished: Run) -> None:
    inputs, _ = truth(finished)

    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        wall, page = screen.wall, screen.page
        assert page is not None
        _, _, wide, lines = wall.grid(pictures=True)
        first = picture_cells(inputs[page.sides[0].ids[0]], wide, lines)
        for y, cells in enumerate(first):
            strip = wall.render_line(y + 1)
            wanted = [
                s for text, style in cells for s in [(style.color, style.bgcolor)] * len(text)
            ]
            shown = [
                (s.style.color, s.style.bgcolor)
                for s in strip.crop(0, wide)
                if s.style is not None
                for _ in s.text
            ]
            assert shown == wanted

    _drive(finished, drive)


@pytest.mark.parametrize(("size", "least"), [((40, 12), 2), ((80, 24), 6), ((160, 50), 12)])
def test_every_size_shows_pictures_side_by_side(
    finished: Run, size: tuple[int, int], least: int
) -> None:
    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        assert screen.page is not None
        assert all(len(side.ids) >= least for side in screen.page.sides)
        shown = screen.wall.text()
        assert "▀" in shown and "most" in shown and "least" in shown
        assert max(map(len, shown.splitlines())) <= size[0]
        assert screen.wall.render_line(1).cell_length == screen.wall.size.width

    _drive(finished, drive, size)


def test_zoom_trades_size_for_number(finished: Run) -> None:
    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        def seen() -> int:
            assert screen.page is not None
            return len(screen.page.sides[0].ids)

        before = seen()
        await _press(pilot, screen, "minus", "minus")
        more = seen()
        await _press(pilot, screen, "plus", "plus", "plus", "plus")
        assert seen() < before < more

    _drive(finished, drive, (120, 40))


@pytest.mark.parametrize(("theme", "plain", "ink"), [("mono", False, "█"), ("dark", True, "@")])
def test_without_colour_pictures_are_made_of_shades(
    finished: Run, theme: str, plain: bool, ink: str
) -> None:
    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        shown = screen.wall.text()
        assert ink in shown and "▀" not in shown
        assert not plain or shown.isascii()

    _drive(finished, drive, theme=theme, plain=plain)


def test_data_that_are_gone_are_said_and_ids_remain(
    finished: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRUNECTL_DATA", str(tmp_path / "none"))

    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        assert screen.page is not None and "not prepared" in screen.page.trouble
        assert f"#{screen.page.sides[0].ids[0]} " in screen.wall.text()

    _drive(finished, drive)


def test_scores_that_come_later_are_shown(
    tmp_path: Path, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prunectl.tui.screens.samples._LOOK_AGAIN", 0.05)
    scores = finished.path / "scores"
    away = scores.rename(tmp_path / "away")

    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        assert screen.page is not None and "no scores yet" in screen.page.trouble
        await _press(pilot, screen, "v", "r", "m", "e", "c", "right", "y")
        away.rename(scores)
        await until(pilot, lambda: screen.page is not None and bool(screen.page.sides))

    _drive(finished, drive)


def test_a_run_that_cannot_be_read_is_words(tmp_path: Path) -> None:
    run = recorded("diverged", tmp_path)
    run.spec_file.write_text("nonsense: [")

    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        assert screen.page is not None and "not valid YAML" in screen.page.trouble

    _drive(run, drive)


def test_class_names_cannot_write_to_the_terminal(
    finished: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = shutil.copytree(default_cache_root(), tmp_path / "data")
    monkeypatch.setenv("PRUNECTL_DATA", str(own))
    for file in own.glob("digits-*/*/bank.json"):
        about = json.loads(file.read_text())
        about["classes"][0] = "\x1b[2J[b]"
        file.write_text(json.dumps(about))

    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        await _press(pilot, screen, "c")
        shown = screen.wall.text()
        assert "\x1b" not in shown and "?[2J" in shown
        assert screen.page is not None
        assert screen.page.sides[0].captions[0][1] in shown  # the class is cut, not the number

    _drive(finished, drive)


def test_the_ids_in_sight_can_be_copied(finished: Run) -> None:
    async def drive(pilot: Pilot[None], screen: SamplesScreen) -> None:
        await pilot.press("y")
        assert screen.page is not None
        copied = screen.app.clipboard.splitlines()
        ids = [int(i) for i in copied[0].partition(": ")[2].split(", ")]
        assert ids == list(np.asarray(screen.page.sides[0].ids))

    _drive(finished, drive)
