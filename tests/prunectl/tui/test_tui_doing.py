"""Start, stop and resume from the console, each with a worker of its own that outlives it."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import FINISHED, copy_runs
from test_tui_screens import until
from typer.testing import CliRunner

from core.runs import Run
from prunectl.cli.main import app as command
from prunectl.tui import terminal
from prunectl.tui.app import FAST, SLOW, Console
from prunectl.tui.screens.run import RunScreen
from prunectl.tui.screens.runs import Runs

Fake = Callable[[str], list[tuple[str, ...]]]


def test_a_run_is_started_stopped_and_resumed(tmp_path: Path, fake: Fake) -> None:
    started = fake("endless")
    folder = tmp_path / "runs"

    async def drive() -> Run:
        app = Console(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            listed: Any = app.screen
            await until(lambda: listed.complete)
            await pilot.press("n")
            await pilot.pause()
            await pilot.press("ctrl+r")
            await until(lambda: isinstance(app.screen, RunScreen))
            screen: Any = app.screen
            await until(lambda: screen.known.view.running is not None)
            assert screen.known.state.status == "running"
            await pilot.press("s", "y")
            await until(lambda: screen.known.state.shown == "stopped")
            fake("ok")
            await pilot.press("r")
            await until(lambda: screen.known.state.shown == "finished")
            assert screen.known.view.sessions == 2
            await pilot.press("r")  # a finished run is left alone
            await until(lambda: any("nothing to do" in n.message for n in app._notifications))
            return screen.known.run  # type: ignore[no-any-return]  # a screen of ours

    run = asyncio.run(drive())
    assert started == [()]
    assert run.state().shown == "finished"


def test_a_run_started_here_outlives_the_console(tmp_path: Path, fake: Fake) -> None:
    fake("endless")

    async def drive() -> Run:
        app = Console(tmp_path / "runs")
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("n")
            await pilot.pause()
            await pilot.press("ctrl+r")
            await until(lambda: isinstance(app.screen, RunScreen))
            run: Run = app.screen.known.run  # type: ignore[attr-defined]  # a screen of ours
            await until(lambda: run.state().shown == "running")
            await pilot.press("ctrl+c")
        assert app.return_code == 0
        return run

    run = asyncio.run(drive())
    assert run.state().shown == "running"


@pytest.fixture
def as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """``os.access`` by the mode bits: for root the real one says that everything may be written."""

    def access(path: Path, mode: int) -> bool:
        allowed = Path(path).stat().st_mode
        return bool(allowed & stat.S_IWUSR) if mode == os.W_OK else True

    monkeypatch.setattr(os, "access", access)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Console]:
    """Consoles that were opened, not shown: there is no terminal here."""
    found: list[Console] = []
    monkeypatch.setattr(terminal, "_check_terminal", lambda: None)
    monkeypatch.setattr(terminal, "_descriptors", lambda: ())
    monkeypatch.setattr("prunectl.tui.hangup.watch", lambda *_: None)
    monkeypatch.setattr(Console, "run", lambda self, mouse: found.append(self))
    return found


@pytest.mark.usefixtures("as_others")
@pytest.mark.parametrize("named", [None, FINISHED], ids=["folder", "run"])
def test_what_may_not_be_written_is_opened_read_only(
    tmp_path: Path, opened: list[Console], named: str | None
) -> None:
    folder = copy_runs(tmp_path / "runs")
    place = folder / named if named else folder
    place.chmod(0o555)

    async def drive(app: Console) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            screen: Any = app.screen
            known = (lambda: screen.complete) if named is None else lambda: screen.known.read_all
            await until(known)
            before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
            for key in "srdn" if named is None else "sr":
                await pilot.press(key)
                assert app.screen is screen
            said = [n.message for n in app._notifications]
            assert said and all("read-only" in text for text in said)
            assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before

    try:
        kwargs: dict[str, Any] = {
            "runs_dir": folder, "read_only": False, "plain": False, "low_bandwidth": False,
            "mouse": True, "theme": None,
        }  # fmt: skip
        assert terminal.tui(named, **kwargs) == 0
        asyncio.run(drive(opened[0]))
    finally:
        place.chmod(0o755)


def test_low_bandwidth_reaches_the_readers(tmp_path: Path, opened: list[Console]) -> None:
    """From the option to the pace of the threads that post what is new."""
    folder = copy_runs(tmp_path / "runs")
    for options in ([], ["--low-bandwidth"]):
        done = CliRunner().invoke(command, ["tui", FINISHED, "--runs-dir", str(folder), *options])
        assert done.exit_code == 0, done.output

    async def paces(app: Console) -> set[float]:
        async with app.run_test(size=(80, 24)):
            screens = [s for s in app.screen_stack if isinstance(s, Runs | RunScreen)]
            return {s.pace.seconds for s in screens if s.pace}

    assert [asyncio.run(paces(app)) for app in opened] == [{FAST}, {SLOW}]


@pytest.mark.parametrize("display", ["", ":0"], ids=["no window", "a window"])
def test_the_report_is_opened_or_its_path_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, display: str
) -> None:
    run = Run(copy_runs(tmp_path / "runs") / FINISHED)
    seen: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: not seen.append(url))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)

    async def drive() -> list[str]:
        app = Console(run.path.parent, run)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.press("w")
            (run.path / "report.html").write_text("<html></html>")
            await pilot.press("w")
            await until(lambda: len(app._notifications) == 2)
            return [note.message for note in app._notifications]

    none, said = asyncio.run(drive())
    assert "has no report" in none
    assert str(run.path / "report.html") in said
    assert seen == ([(run.path / "report.html").as_uri()] if display else [])
