"""The form of a preset with axes: as data, then on a screen."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from screen_app import ScreenApp, until

from core.sweep_spec import SweepSpec, parse_sweep
from core.sweeps import list_sweeps
from prunectl.presets import load_mapping
from prunectl.sweep import predict
from prunectl.tui import doing_sweeps
from prunectl.tui.drawing import plain
from prunectl.tui.form import save_preset
from prunectl.tui.form_sweep import SweepForm, open_form
from prunectl.tui.screens.dialogs import Ask
from prunectl.tui.screens.new_run import NewRunScreen
from prunectl.tui.widgets.field_row import FieldRow
from prunectl.tui.widgets.panel import Panel

K, POLICY = "extrapolate.k", "prune.policy"


@pytest.fixture
def form() -> SweepForm:
    opened = open_form("quickstart-sweep")
    assert isinstance(opened, SweepForm)
    return opened


def _as_started(form: SweepForm) -> SweepSpec:
    """The sweep that the command line would start."""
    words = shlex.split(form.command())
    assert words[:3] == ["prunectl", "sweep", form.source]
    given = list(zip(words[3::2], words[4::2], strict=True))
    sets, axes = ([v for k, v in given if k == option] for option in ("--set", "--axis"))
    assert len(sets) + len(axes) == len(given)
    return parse_sweep(load_mapping(words[2])[0], sets, axes)


def _same(a: SweepSpec | None, b: SweepSpec) -> bool:
    """Whether the cells compute the same."""
    own, other = a.cells() if a is not None else (), b.cells()
    return [c.spec.identity() for c in own] == [c.spec.identity() for c in other]


def test_axes_are_fields_and_nothing_is_twice(form: SweepForm) -> None:
    checked = form.check()
    assert checked.problems == () and checked.sections()[0] == "sweep"
    assert [f.path for f in checked.of_section("sweep")] == [K, POLICY]
    paths = [f.path for f in checked.fields]
    assert len(paths) == len(set(paths)) and "extrapolate.weights" in paths
    assert form.text(K) == "[5, 50]" and form.text("extrapolate.weights") == "auto"
    assert _same(form.sweep(), _as_started(form))


def test_what_is_written_is_what_the_command_line_starts(form: SweepForm) -> None:
    form.set(K, "[5, 20, 100]")
    form.set(POLICY, "[top_k]")
    form.set("train.epochs", "14ep")
    form.set("model.width", "16")  # as the preset has it
    assert form.changed() == {K, POLICY, "train.epochs"}
    assert form.sweep().count == 3  # type: ignore[union-attr]  # no problems, so a sweep
    assert _same(form.sweep(), _as_started(form))
    form.reset(K)
    assert "--axis extrapolate.k" not in form.command() and form.sweep().count == 2  # type: ignore[union-attr]  # no problems, so a sweep


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (K, "5", "give a list"),
        (K, "[]", "it has no values"),
        (K, "[5, 5]", "a value is given twice"),
        (K, "[5", "not valid YAML"),
        (K, "[5, many]", "extrapolate.k"),
        (POLICY, "[top_k, nearest]", "nearest"),
    ],
)
def test_a_wrong_axis_is_told_at_its_field(
    form: SweepForm, path: str, text: str, said: str
) -> None:
    form.set(path, text)
    checked = form.check()
    assert checked.spec is None and form.sweep() is None
    field = next(f for f in checked.fields if f.path == path)
    assert any(said in problem for problem in checked.at(field))
    form.reset(path)
    assert form.check().problems == ()


def test_a_saved_sweep_is_a_sweep_again(
    form: SweepForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    form.set(K, "[7, 9]")
    form.set("train.epochs", "14ep")
    save_preset(form, "mine")
    again = open_form("mine")
    assert isinstance(again, SweepForm) and again.text(K) == "[7, 9]"
    assert _same(again.sweep(), _as_started(form))


def _answer(device_seconds: float) -> Mapping[str, Any]:
    return {
        "cells": [{"id": "00", "settings": {}}, {"id": "01", "settings": {}}],
        "tasks": [{}] * 30, "tasks_alone": 48, "shared": 9, "sealed": 4,
        "device_seconds": device_seconds, "device_seconds_alone": 2 * device_seconds,
        "longest_path_seconds": 20.0, "disk_bytes": 3_000_000, "source": "probe",
        "devices": ["cpu"], "cannot_pay": [{"what": "pruning 30% cannot pay", "cells": ["00"]}],
    }  # fmt: skip


@pytest.mark.parametrize("hours", [1.0, 25.0])
def test_a_sweep_is_predicted_then_started_and_a_long_one_asked_about(
    hours: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Mapping[str, Any]] = []
    monkeypatch.setattr(doing_sweeps, "_work", lambda *_: None)
    monkeypatch.setattr(
        predict, "ask", lambda job, narrate: jobs.append(job) or dict(_answer(3600 * hours))
    )

    async def main() -> None:
        screen = NewRunScreen(tmp_path, "quickstart-sweep")
        app = ScreenApp(screen)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: bool(screen.query(FieldRow)))
            await pilot.press("ctrl+r")
            if hours > 24:
                await until(pilot, lambda: isinstance(app.screen, Ask))
                await pilot.press("n")
                assert not list_sweeps(tmp_path)
                await pilot.press("ctrl+r", "y")
            await until(pilot, lambda: app.launched)
            side = plain(screen.query_one("#side", Panel).lines())
            assert "2 cells: " in side and "9 shared, 4 already sealed" in " ".join(side.split())
            assert "pruning 30% cannot pay" in " ".join(side.split())
            command = plain(screen.query_one("#command", Panel).lines())
            assert command.startswith("$ prunectl sweep quickstart-sweep")

    asyncio.run(main())
    assert [job["job"] for job in jobs] == ["estimate_sweep"]
    (made,) = list_sweeps(tmp_path)
    assert _same(made.spec(), parse_sweep(load_mapping("quickstart-sweep")[0]))
    assert made.state().status == "queued"
