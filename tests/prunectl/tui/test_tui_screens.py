"""The screens driven by a pilot on recorded runs: state and messages first."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import DIVERGED, FINISHED, RESUMED, copy_runs
from textual.widgets import DataTable, Input

from core import events as ev
from core.journal import Journal
from core.locks import hostname, process_start
from core.runs import Run, State
from prunectl.tui import doing
from prunectl.tui.app import Console
from prunectl.tui.screens.dialogs import Ask, Choose
from prunectl.tui.screens.help import Help
from prunectl.tui.screens.run import RunScreen
from prunectl.tui.screens.runs import Runs
from prunectl.tui.widgets.panel import Panel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_runs(tmp_path / "runs")


async def until(said: Callable[[], object]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + 10
    while not said():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def test_runs_are_listed_filtered_sorted_and_opened(folder: Path) -> None:
    async def drive() -> None:
        app = Console(folder)
        async with app.run_test(size=(120, 40)) as pilot:
            screen = app.screen
            assert isinstance(screen, Runs)
            await until(lambda: screen.complete)
            table = screen.query_one(DataTable)
            assert table.row_count == 3
            await pilot.press("slash", *"data.name=digits", "space", *"-finished")
            assert screen._order == [DIVERGED]
            await pilot.press("enter", "escape")
            assert table.row_count == 3
            assert screen.query_one("#filter", Input).value == ""
            await pilot.press("o")
            assert screen.sort_by == "status"
            await pilot.press("O")
            assert screen.turned
            chosen = screen.chosen
            assert chosen is not None
            await pilot.press("enter")
            assert isinstance(app.screen, RunScreen)
            assert app.screen.known.run.id == chosen.run.id
            await pilot.press("q")
            assert isinstance(app.screen, Runs)
            await pilot.press("q")
        assert app.return_code == 0

    asyncio.run(drive())


def test_a_new_run_appears_and_a_removed_one_goes(folder: Path) -> None:
    async def drive() -> None:
        app = Console(folder)
        async with app.run_test(size=(80, 24)):
            screen: Any = app.screen
            await until(lambda: screen.complete)
            (folder / RESUMED).rename(folder / "zzzz-moved")
            await until(lambda: "zzzz-moved" in screen._order and RESUMED not in screen._order)
            assert len(screen._order) == 3

    asyncio.run(drive())


def opened(folder: Path, run: str, size: tuple[int, int], drive: Callable[..., Any]) -> None:
    """Drive the screen of a run when all of it is read."""

    async def main() -> None:
        app = Console(folder, Run(folder / run))
        async with app.run_test(size=size) as pilot:
            screen = app.screen
            assert isinstance(screen, RunScreen)
            await until(lambda: screen.known.read_all)
            await pilot.pause()
            await drive(app, screen, pilot)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("size", "layout", "panels"),
    [((160, 50), "generous", 6), ((80, 24), "good", 1), ((40, 12), "tight", 1)],
)
def test_panels_stand_side_by_side_where_there_is_room(
    folder: Path, size: tuple[int, int], layout: str, panels: int
) -> None:
    async def drive(app: Console, screen: RunScreen, pilot: Any) -> None:
        assert screen.size_class == layout
        shown = [p for p in screen.query("#panels Panel") if p.display]
        assert len(shown) == panels
        for key in "12345678":
            await pilot.press(key)
            assert not [p.failure for p in screen.query(Panel) if p.failure]
        await pilot.press("1")
        if not screen.zoomed:
            await pilot.press("z")
        assert len([p for p in screen.query("#panels Panel") if p.display]) == 1

    opened(folder, FINISHED, size, drive)


def test_a_tiny_terminal_says_enlarge_and_recovers(folder: Path) -> None:
    async def drive(app: Console, screen: RunScreen, pilot: Any) -> None:
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert screen.size_class == "tiny"
        assert screen.query_one(".enlarge").display
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert screen.size_class == "good"

    opened(folder, FINISHED, (80, 24), drive)


def test_keys_of_the_curves(folder: Path) -> None:
    async def drive(app: Console, screen: RunScreen, pilot: Any) -> None:
        choice = screen.choice
        await pilot.press("x", "l", "m")
        assert (choice.axis, choice.log, choice.smoothing) == ("step", True, 1)
        await pilot.press("right_square_bracket")
        assert len(choice.tasks) == 1
        await pilot.press("right", "right")
        assert choice.cursor == pytest.approx(0.52)
        await pilot.press("escape")
        assert choice.cursor is None
        assert app.screen is screen
        await pilot.press("o")
        assert isinstance(app.screen, Choose)
        await pilot.press("down", "space", "enter")
        assert len(choice.tasks) == 2
        await pilot.press("e")
        assert choice.seed == 1
        await pilot.press("b")  # there is no robust accuracy here
        assert choice.metric == "test_accuracy"
        assert any("one accuracy" in note.message for note in app._notifications)

    opened(folder, FINISHED, (80, 24), drive)


def test_a_failing_panel_shows_its_error_and_the_rest_lives(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[Any]:
        raise ZeroDivisionError("[red]of all things")

    monkeypatch.setitem(__import__("prunectl.tui.screens.run", fromlist=["x"]).PANELS,
                        "cost", broken)  # fmt: skip

    async def drive(app: Console, screen: RunScreen, pilot: Any) -> None:
        failed = {p.id for p in screen.query(Panel) if p.failure}
        assert failed == {"panel-cost"}
        drawn = "".join(strip.text for strip in screen._compositor.render_strips())
        assert "this panel failed" in drawn
        assert "[red]of all things" in drawn
        assert "held-out Spearman" in drawn

    opened(folder, FINISHED, (160, 50), drive)


def test_a_live_run_is_followed_and_an_idle_one_is_not_redrawn(tmp_path: Path) -> None:
    run = Run(copy_runs(tmp_path) / FINISHED)
    lines = run.journal.read_text().splitlines(keepends=True)
    run.journal.write_text("".join(lines[:3]))
    pid = os.getpid()
    run.write_state(State("running", None, pid, process_start(pid), hostname(), time.time()))

    async def drive(app: Console, screen: RunScreen, pilot: Any) -> None:
        journal = Journal(run.journal)
        drawn = screen.redraws
        await asyncio.sleep(0.7)
        assert screen.redraws == drawn
        journal.append(ev.TaskStarted("score-s0", "score", 0))
        journal.append(ev.Points("score-s0", "train/loss", [1, 2], [0.1, 0.2], [2.0, None]))
        journal.close()
        await until(lambda: "score-s0" in screen.known.view.curves)
        assert screen.known.shown_tasks(screen.choice) == ["score-s0"]
        assert screen.redraws == drawn + 1

    opened(tmp_path, FINISHED, (80, 24), drive)


def test_stop_asks_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(doing, "stop", lambda run: done.append(run.id) or "stopping")

    async def drive(app: Console, screen: RunScreen, pilot: Any) -> None:
        await pilot.press("s")
        assert isinstance(app.screen, Ask)
        await pilot.press("enter")  # an accident is a no
        assert not done
        await pilot.press("s", "y")
        await until(lambda: done == [FINISHED])

    opened(folder, FINISHED, (80, 24), drive)


def test_delete_moves_to_the_trash(folder: Path) -> None:
    async def drive() -> None:
        app = Console(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            screen: Any = app.screen
            await until(lambda: screen.complete)
            name = screen.chosen.run.id
            await pilot.press("d", "y")
            await until(lambda: name not in screen._order)
            assert (folder / ".trash" / name).is_dir()

    asyncio.run(drive())


def test_read_only_changes_nothing(folder: Path) -> None:
    async def drive() -> None:
        app = Console(folder, read_only=True)
        async with app.run_test(size=(80, 24)) as pilot:
            screen: Any = app.screen
            await until(lambda: screen.complete)
            for key in "sdrn":
                await pilot.press(key)
                assert app.screen is screen
        assert len(list(folder.iterdir())) == 3

    asyncio.run(drive())


def test_help_palette_and_themes(folder: Path) -> None:
    async def drive(app: Console, screen: RunScreen, pilot: Any) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("escape")
        names = {command.title for command in app.get_system_commands(screen)}
        assert "log (l)" in names
        assert "theme (T)" in names
        seen = {app.theme}
        for _ in range(3):
            await pilot.press("T")
            seen.add(app.theme)
        assert len(seen) == 4
        next(c for c in app.get_system_commands(screen) if c.title == "log (l)").callback()
        await until(lambda: screen.choice.log)

    opened(folder, FINISHED, (80, 24), drive)


def test_no_color_means_the_monochrome_theme(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert Console(folder).theme == "prunectl-mono"


def test_names_from_files_are_only_text(tmp_path: Path) -> None:
    folder = copy_runs(tmp_path)
    evil = "[bold]x\x1b[2J"
    (folder / RESUMED).rename(folder / evil)

    async def drive() -> None:
        app = Console(folder)
        async with app.run_test(size=(120, 40)) as pilot:
            screen: Any = app.screen
            await until(lambda: screen.complete)
            await pilot.pause()
            drawn = "".join(strip.text for strip in screen._compositor.render_strips())
            assert "[bold]x?[2J" in drawn
            assert "\x1b" not in drawn

    asyncio.run(drive())
