"""The form on a screen: what is typed reaches the spec, the command line and the worker."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from screen_app import ScreenApp, until
from test_predicting import ANSWER
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static, Switch

from core.errors import MachineError
from core.predicted import read_predicted
from core.runs import list_runs
from core.spec_load import parse_spec, read_yaml
from prunectl.presets import load_spec
from prunectl.tui import doing, predicting
from prunectl.tui.screens.new_run import NewRunScreen
from prunectl.tui.screens.save_as import SaveAs
from prunectl.tui.widgets.field_row import Choice, FieldRow
from prunectl.tui.widgets.panel import Panel

Drive = Callable[[Pilot[None], NewRunScreen], Awaitable[None]]


def _drive(runs: Path, drive: Drive, size: tuple[int, int] = (80, 24)) -> ScreenApp:
    async def main() -> ScreenApp:
        screen = NewRunScreen(runs)
        app = ScreenApp(screen)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: bool(screen.query(FieldRow)))
            await drive(pilot, screen)
        return app

    return asyncio.run(main())


def _row(screen: NewRunScreen, path: str) -> FieldRow:
    return next(row for row in screen.query(FieldRow) if row.field.path == path)


async def _go(pilot: Pilot[None], screen: NewRunScreen, section: str) -> None:
    for _ in range(12):
        if screen.section == section:
            return
        await pilot.press("pagedown")
    raise AssertionError(section)


async def _write(pilot: Pilot[None], screen: NewRunScreen, path: str, text: str) -> None:
    await _go(pilot, screen, path.partition(".")[0])
    control = _row(screen, path).control
    assert isinstance(control, Input)
    control.focus()
    control.value = text
    await pilot.pause()


def _panel(screen: NewRunScreen, name: str) -> str:
    lines = screen.query_one(f"#{name}", Panel).lines()
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Runs whose worker would have been started."""
    found: list[Any] = []

    def start(run: Any, extra: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        found.append(run)
        return subprocess.Popen(["true"])

    monkeypatch.setattr(doing, "start_worker", start)
    return found


def test_controls_follow_the_types_of_the_fields(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        kinds = set()
        for _ in screen.form.check().sections():
            for row in screen.query(FieldRow):
                wanted = {"select": Choice, "switch": Switch, "text": Input}[row.field.kind]
                assert isinstance(row.control, wanted)
                kinds.add(row.field.kind)
            await pilot.press("pagedown")
        assert kinds == {"select", "switch", "text"}
        assert screen.form.edits == {}  # looking changes nothing

    _drive(runs, drive)


def test_typing_changes_spec_and_command(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _go(pilot, screen, "train")
        assert screen.focused is _row(screen, "train.epochs").control
        await pilot.press("end", "backspace", "backspace", "backspace", "backspace", *"20ep")
        spec = screen.form.check().spec
        assert spec is not None and spec.train.epochs.value == 20
        assert "--set train.epochs=20ep" in _panel(screen, "command")
        assert _row(screen, "train.epochs").has_class("-changed")
        await pilot.press("ctrl+z")
        assert "--set" not in _panel(screen, "command")
        assert screen.focused is not None and screen.focused.value == "12ep"  # type: ignore[attr-defined]  # an Input

    _drive(runs, drive)


def test_problems_stand_at_their_field_and_all_below(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _write(pilot, screen, "prune.rates", "[2]")
        await _write(pilot, screen, "train.batch", "many")
        row = _row(screen, "train.batch")
        assert row.has_class("-wrong")
        assert "valid integer" in str(row.query_one(".note", Static).content)
        side = _panel(screen, "side")
        assert "train.batch" in side and "prune.rates" in side
        await pilot.press("ctrl+r")
        await _write(pilot, screen, "train.batch", "32")
        assert not _row(screen, "train.batch").has_class("-wrong")

    app = _drive(runs, drive)
    assert app.said == ["first mend 2 problems"] and app.launched == []
    assert list_runs(runs) == []


def test_choosing_another_plug_in_changes_the_fields(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _go(pilot, screen, "model")
        assert _row(screen, "model.width")
        control = _row(screen, "model.name").control
        assert isinstance(control, Select)
        control.value = "linear"
        await until(pilot, lambda: len(screen.query(FieldRow)) == 2)  # name and weights
        assert "model.name=linear" in _panel(screen, "command")
        assert screen.focused is _row(screen, "model.name").control

    _drive(runs, drive)


def test_a_switch_is_a_boolean(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _go(pilot, screen, "compute")
        _row(screen, "compute.deterministic").control.focus()
        await pilot.press("space")
        spec = screen.form.check().spec
        assert spec is not None and spec.compute.deterministic is False

    _drive(runs, drive)


def test_launching_makes_the_run_the_command_line_would(runs: Path, started: list[Any]) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _write(pilot, screen, "train.epochs", "20ep")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: bool(app_of(screen).launched))

    app = _drive(runs, drive)
    run = app.launched[0].run
    assert [r.path for r in started] == [run.path] and run.path.parent == runs
    found = parse_spec(read_yaml(run.spec_file))
    assert found == load_spec("quickstart", ["train.epochs=20ep"])


def app_of(screen: NewRunScreen) -> ScreenApp:
    app = screen.app
    assert isinstance(app, ScreenApp)
    return app


def test_a_folder_that_cannot_be_written_is_said(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise MachineError("disk [b]full[/b]", "free some")

    monkeypatch.setattr(doing, "start", refuse)

    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: bool(app_of(screen).said))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: len(app_of(screen).said) == 2)

    app = _drive(runs, drive)
    assert app.said[0] == "disk [b]full[/b]; free some" and app.launched == []


def test_predictions_are_asked_once_and_belong_to_their_spec(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Mapping[str, Any]] = []

    def ask(job: Mapping[str, Any], narrate: Callable[..., None]) -> Mapping[str, Any]:
        jobs.append(job)
        return ANSWER

    monkeypatch.setattr(predicting, "ask", ask)

    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        assert "f5 predicts" in _panel(screen, "side")
        await pilot.press("f5")
        await until(pilot, lambda: "pays above rate 0.42" in _panel(screen, "side"))
        await _write(pilot, screen, "train.batch", "32")
        assert "f5 predicts" in _panel(screen, "side")
        await _write(pilot, screen, "train.batch", "64")
        assert "pays above rate 0.42" in _panel(screen, "side")
        await pilot.press("f5")

    _drive(runs, drive)
    assert len(jobs) == 1 and jobs[0]["runs_dir"] == str(runs)


def test_what_was_predicted_stays_with_the_run(
    runs: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {**ANSWER, "tasks": [{"task": "score-s0", "seconds": 4.0}]}
    monkeypatch.setattr(predicting, "ask", lambda job, narrate: answer)

    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await pilot.press("f5")
        await until(pilot, lambda: "pays above rate 0.42" in _panel(screen, "side"))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: bool(app_of(screen).launched))

    app = _drive(runs, drive)
    found = read_predicted(app.launched[0].run)
    assert found is not None
    assert (found.tasks, found.break_even_rate) == ({"score-s0": 4.0}, 0.42)


def test_saving_a_preset_goes_on_with_it(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _write(pilot, screen, "train.epochs", "20ep")
        for _ in range(2):
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(screen.app.screen, SaveAs))
            await pilot.press(*"mine", "enter")
            if isinstance(screen.app.screen, SaveAs):  # there is one already
                assert "replaces it" in str(screen.app.screen.query_one("#trouble", Static).content)
                await pilot.press("enter")
            await until(pilot, lambda: screen.form.source == "mine")
        assert _panel(screen, "command").startswith("$ prunectl run mine --runs-dir")

    _drive(runs, drive)
    assert load_spec("mine").train.epochs.value == 20


def test_another_preset_asks_before_changes_are_dropped(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _write(pilot, screen, "train.epochs", "20ep")
        preset = screen.query_one("#preset", Choice)
        preset.value = "cifar10-du"
        await until(pilot, lambda: screen.app.screen is not screen)
        await pilot.press("n")
        await until(pilot, lambda: screen.app.screen is screen)
        assert screen.form.source == "quickstart" and preset.value == "quickstart"
        preset.value = "cifar10-du"
        await until(pilot, lambda: screen.app.screen is not screen)
        await pilot.press("y")
        await until(pilot, lambda: screen.form.source == "cifar10-du")
        assert screen.form.check().spec == load_spec("cifar10-du")

    _drive(runs, drive)


def test_the_command_line_can_be_copied(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _write(pilot, screen, "prune.rates", "[0.5, 0.8]")
        await pilot.press("ctrl+y")
        assert screen.app.clipboard == screen.form.command(runs)
        assert "--set 'prune.rates=[0.5, 0.8]'" in screen.app.clipboard

    _drive(runs, drive)


def test_what_is_typed_cannot_be_markup(runs: Path) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _write(pilot, screen, "train.batch", "[bold red]x[/]")
        assert "[bold red]x" in _panel(screen, "command")
        assert "[bold red" in _panel(screen, "side") or "YAML" in _panel(screen, "side")

    _drive(runs, drive)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (160, 50)])
def test_every_size_shows_field_command_and_prediction(runs: Path, size: tuple[int, int]) -> None:
    async def drive(pilot: Pilot[None], screen: NewRunScreen) -> None:
        await _go(pilot, screen, "train")
        inside = screen.region
        for widget in (_row(screen, "train.epochs").control, screen.query_one("#command"),
                       screen.query_one("#side"), screen.query_one(".hints")):  # fmt: skip
            assert widget.region.area > 0 and inside.contains_region(widget.region), widget
        assert _row(screen, "train.epochs").control.region.width >= 12
        assert screen.query_one("#command").region.bottom <= screen.query_one(".hints").region.y

    _drive(runs, drive, size)
