"""The screen of a sweep: panels without a terminal, then driven by keys, on a recorded sweep."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import SWEEP, copy_runs, copy_sweep, read_sweep
from test_tui_screens import until
from typer.testing import CliRunner

from core import events as ev
from core.journal import Journal, Record
from core.locks import hostname, process_start
from core.runs import State
from core.sweeps import Sweep
from prunectl.cli.main import app as command
from prunectl.sweep.view import apply
from prunectl.tui import doing_sweeps, terminal
from prunectl.tui.app import Console
from prunectl.tui.drawing import Look, plain, width_of
from prunectl.tui.known_sweep import SweepChoice
from prunectl.tui.panels import sweep_grid, sweep_parts
from prunectl.tui.screens.dialogs import Ask
from prunectl.tui.screens.run import RunScreen
from prunectl.tui.screens.runs import Runs
from prunectl.tui.screens.sweep import SweepScreen
from prunectl.tui.widgets.panel import Panel
from prunectl.view import View


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return copy_sweep(tmp_path)


def opened(sweep: Sweep, size: tuple[int, int], drive: Callable[..., Any], **more: Any) -> None:
    """Drive the screen of a sweep when all of it is read."""

    async def main() -> None:
        app = Console(sweep.path.parent, sweep, **more)
        async with app.run_test(size=size) as pilot:
            screen = app.screen
            assert isinstance(screen, SweepScreen)
            await until(lambda: screen.known.read_all)
            await pilot.pause()
            await drive(app, screen, pilot)

    asyncio.run(main())


def test_cells_say_number_and_shade_or_a_letter(sweep: Sweep) -> None:
    known, look = read_sweep(sweep), Look()
    drawn = plain(sweep_grid.draw(known, SweepChoice(), 78, 12, look))
    assert "1 of 2: lr 0.05" in drawn and "at prune rate 0.30" in drawn
    best, worst = known.view.best(), min(
        c.figures["test_accuracy"] for c in known.view.cells.values()
        if c.status == "finished"
    )  # fmt: skip
    assert best is not None
    assert f"█ {100 * best.figures['test_accuracy']:.2f}" in drawn
    assert f"  {100 * worst:.2f}" in drawn
    failed = plain(sweep_grid.draw(known, SweepChoice(slice=1), 78, 12, look))
    assert failed.count("X failed") == 4
    status = SweepChoice(slice=1, measure="status")
    assert plain(sweep_grid.draw(known, status, 78, 12, look)).count("X diverged") == 4
    ascii_only = plain(sweep_grid.draw(known, SweepChoice(), 78, 12, Look(ascii=True)))
    assert ascii_only.isascii()


@pytest.mark.parametrize("size", [(38, 7), (20, 3), (8, 1), (156, 46)])
def test_cells_and_texts_fit_their_panel(sweep: Sweep, size: tuple[int, int]) -> None:
    known, (width, height) = read_sweep(sweep), size
    for draw in (sweep_grid.draw, sweep_parts.cell, sweep_parts.failures, sweep_parts.work):
        for measure in ("accuracy", "status"):
            lines = draw(known, SweepChoice(measure=measure, row=1), width, height, Look())
            if draw is sweep_grid.draw:
                assert len(lines) <= height
                lines = lines[2:]  # above stand words, which the panel cuts
                assert all(width_of(line) <= max(width, 18) for line in lines)
            elif draw is sweep_parts.failures:
                assert all(width_of(line) <= max(width, 19) for line in lines)


def test_of_a_large_sweep_the_cells_around_the_cursor_are_in_sight(sweep: Sweep) -> None:
    known = read_sweep(sweep)
    values = [list(range(40)), list(range(30))]
    ids = [f"{i:04}" for i in range(1200)]
    settings = [{"a.x": i // 30, "b.y": i % 30} for i in range(1200)]
    cells = [{"id": n, "settings": s} for n, s in zip(ids, settings, strict=True)]
    about = {"axes": dict(zip(("a.x", "b.y"), values, strict=True)), "base": {}}
    known.view.cells.clear()
    apply(known.view, Record(0, 1.0, ev.SweepStarted("s", about, cells, "h", [], {})))
    drawn = plain(sweep_grid.draw(known, SweepChoice(row=35, column=29), 78, 12, Look()))
    assert "35" in drawn and "29" in drawn and "[" in drawn
    assert "of 40" in drawn and "of 30" in drawn
    assert len(drawn.splitlines()) <= 12


def test_a_cell_is_found_where_it_is_drawn(sweep: Sweep) -> None:
    known = read_sweep(sweep)
    for width, height in ((78, 12), (38, 7), (96, 31)):
        lines = plain(sweep_grid.draw(known, SweepChoice(), width, height, Look())).splitlines()
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            choice = SweepChoice(row=row, column=column)
            lines = plain(sweep_grid.draw(known, choice, width, height, Look())).splitlines()
            line = next(n for n, text in enumerate(lines) if "[" in text and n > 2)
            at = known, choice, width, height
            for x in (lines[line].index("["), lines[line].index("]")):
                assert sweep_grid.place_at(*at, x, line) == (row, column)
        assert sweep_grid.place_at(known, SweepChoice(), width, height, 0, 5) is None
        assert sweep_grid.place_at(known, SweepChoice(), width, height, 20, 0) is None


def test_a_reason_stands_once_with_all_its_cells(sweep: Sweep) -> None:
    known = read_sweep(sweep)
    drawn = plain(sweep_parts.failures(known, SweepChoice(), 60, 20, Look()))
    assert "X diverged: 4 cells" in drawn and "cells 01, 03, 05, 07" in drawn
    assert drawn.count("no longer finite") == 1 and "t tries them again" in drawn
    known.view.cells["01-5-class_balanced-1000000000.0"].what = "[red]\x1b[2Jof all things"
    evil = plain(sweep_parts.failures(known, SweepChoice(), 60, 20, Look()))
    assert "[red]?[2Jof all things" in evil and "\x1b" not in evil


@pytest.mark.parametrize("size", [(160, 50), (80, 24), (40, 12)])
def test_panels_and_keys(sweep: Sweep, size: tuple[int, int]) -> None:
    async def drive(app: Console, screen: SweepScreen, pilot: Any) -> None:
        counted = {(160, 50): 5, (80, 24): 2, (40, 12): 1}[size]
        assert len([p for p in screen.query("#body Panel") if p.display]) == counted
        for key in "23451":
            await pilot.press(key)
            assert not [p.failure for p in screen.query(Panel) if p.failure]
        choice, known = screen.choice, screen.known
        await pilot.press("down", "right", "right")
        assert known.cell(choice).id.startswith("06-")
        await pilot.click("#panel-grid", offset=(15, 4 if size[0] < 80 else 7))
        assert choice.column == 0
        await pilot.press("down", "right")
        await pilot.press("f")
        assert known.cell(choice).id.startswith("07-") and choice.slice == 1
        await pilot.press("x")  # the cursor stays on its cell
        assert known.axes(choice) == ("extrapolate.k", "retrain.optimizer.lr")
        assert known.cell(choice).id.startswith("07-")
        await pilot.press("u", "v")
        assert known.axes(choice) == ("prune.policy", "retrain.optimizer.lr")
        assert choice.measure == "correlation"
        assert not [p.failure for p in screen.query(Panel) if p.failure]

    opened(sweep, size, drive)


def test_an_ended_cell_opens_and_is_its_sweeps(sweep: Sweep) -> None:
    async def drive(app: Console, screen: SweepScreen, pilot: Any) -> None:
        await pilot.press("enter")
        run: Any = app.screen
        assert isinstance(run, RunScreen)
        await until(lambda: run.known.read_all)
        assert isinstance(run.known.view, View) and run.known.run.id.startswith(f"{sweep.id}/00-")
        await pilot.press("escape", "right", "enter")  # this one's folder is not there
        assert app.screen is screen
        assert any("no run folder" in n.message for n in app._notifications)
        await pilot.press("left", "right_square_bracket", "enter")
        cell: Any = app.screen
        assert cell.known.run.id.startswith(f"{sweep.id}/01-")
        await pilot.press("r")
        await until(lambda: any("cell of a sweep" in n.message for n in app._notifications))

    opened(sweep, (80, 24), drive)


def test_stop_cancel_resume_and_retry(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(doing_sweeps, "_work", lambda _, extra=(): started.append(extra))

    async def drive(app: Console, screen: SweepScreen, pilot: Any) -> None:
        def said(text: str) -> bool:
            return any(text in note.message for note in app._notifications)

        await pilot.press("r")
        await until(lambda: said("all cells have ended; nothing to do; t tries"))
        await pilot.press("t")
        await until(lambda: started == [("--retry-failed",)])
        pid = os.getpid()
        alive = State("running", None, pid, process_start(pid), hostname(), time.time())
        sweep.write_state(alive)
        await pilot.press("t")
        await until(lambda: said("is running; nothing to do"))
        await pilot.press("s", "enter")  # an accident is a no
        assert not (sweep.path / "stop.request").exists()
        await pilot.press("s", "y")
        await until(lambda: (sweep.path / "stop.request").is_file())
        assert (sweep.path / "stop.request").read_bytes() == b"finish\n"
        sweep.write_state(State("running", None, None, None, "elsewhere", time.time()))
        await pilot.press("c")
        assert isinstance(app.screen, Ask)
        await pilot.press("y")
        await until(lambda: (sweep.path / "stop.request").read_bytes() == b"stop\n")

    opened(sweep, (80, 24), drive)


def test_read_only_touches_no_sweep(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing_sweeps, "_work", lambda *_: pytest.fail("started"))

    async def drive(app: Console, screen: SweepScreen, pilot: Any) -> None:
        for key in "rtsc":
            await pilot.press(key)
            assert app.screen is screen

    opened(sweep, (80, 24), drive, read_only=True)
    assert not (sweep.path / "stop.request").exists()


def test_a_live_sweep_is_followed_and_an_idle_one_is_not_redrawn(sweep: Sweep) -> None:
    lines = sweep.journal.read_text().splitlines(keepends=True)
    sweep.journal.write_text("".join(lines[:3]))
    pid = os.getpid()
    sweep.write_state(State("running", None, pid, process_start(pid), hostname(), time.time()))

    async def drive(app: Console, screen: SweepScreen, pilot: Any) -> None:
        journal, drawn = Journal(sweep.journal), screen.redraws
        await asyncio.sleep(0.7)
        assert screen.redraws == drawn
        journal.append(ev.TaskStarted("score-s0", "score", 0))
        journal.append(ev.CellFinished("00-5-class_balanced-0.05", "failed", "oom", "too large"))
        journal.close()
        await until(lambda: screen.known.failed())
        assert screen.redraws == drawn + 1
        assert screen.known.view.counted()["running"] == 7
        gone = State("running", None, pid, "another start", hostname(), time.time())
        sweep.write_state(gone)  # killed, and so without a last word
        await until(lambda: screen.known.status == "stale")
        assert screen.known.view.counted() == {"failed": 1, "queued": 7}

    opened(sweep, (80, 24), drive)


def test_the_list_of_runs_has_sweeps_and_does_for_them_what_it_does_for_runs(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_runs(sweep.path.parent)

    async def drive() -> None:
        app = Console(folder)
        async with app.run_test(size=(120, 40)) as pilot:
            screen: Any = app.screen
            await until(lambda: screen.complete)
            row = screen.rows[SWEEP]
            assert (row.method, row.stage, row.data) == ("sweep", "8/8 cells", "digits")
            assert row.reason == "4 cells failed" and row.best.endswith("at 0.30")
            await pilot.press("slash", *"sweep", "enter")
            assert screen.chosen.run.id == SWEEP and len(screen._order) == 1
            await pilot.press("enter")
            assert isinstance(app.screen, SweepScreen)
            await pilot.press("escape")
            assert isinstance(app.screen, Runs)
            await pilot.press("r")
            await until(lambda: any("nothing to do" in n.message for n in app._notifications))
            await pilot.press("d", "y")
            await until(lambda: SWEEP not in screen.rows)
            assert (folder / ".trash" / SWEEP).is_dir()

    asyncio.run(drive())


@pytest.mark.parametrize("named", [SWEEP, "djl2"])
def test_the_command_opens_a_sweep(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    found: list[Console] = []
    monkeypatch.setattr(terminal, "_check_terminal", lambda: None)
    monkeypatch.setattr(terminal, "_descriptors", lambda: ())
    monkeypatch.setattr("prunectl.tui.hangup.watch", lambda *_: None)
    monkeypatch.setattr(Console, "run", lambda self, mouse: found.append(self))
    done = CliRunner().invoke(command, ["tui", named, "--runs-dir", str(sweep.runs)])
    assert done.exit_code == 0, done.output
    assert found[0].run_at_start == sweep and not found[0].read_only
    wrong = CliRunner().invoke(command, ["tui", "djl3", "--runs-dir", str(sweep.runs)])
    assert wrong.exit_code == 2 and SWEEP in wrong.output
