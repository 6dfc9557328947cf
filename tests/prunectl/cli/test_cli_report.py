"""``report`` and what ``show`` says one may do next, on a recorded run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prunectl.cli.main import app

RECORDED = Path(__file__).parents[2] / "journals" / "finished"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(RECORDED, tmp_path / "runs" / "522y-finished")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def _invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--runs-dir", "runs"])


def test_the_page_is_written_and_opened(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: bool(opened.append(uri)))
    told = _invoke("report", "522y", "--open")
    page = runs / "522y-finished" / "report.html"
    assert (told.exit_code, told.stdout) == (0, f"{page}\n")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert opened == [page.as_uri()]
    assert "no browser was found" in told.stderr
    shown = _invoke("show", "522y")
    assert str(page) in shown.stdout
    assert "prunectl export 522y --rate 0.3 --out kept.npy" in shown.stderr
    assert "prunectl report 522y --open" in shown.stderr


def test_a_place_that_does_not_exist(runs: Path) -> None:
    told = _invoke("report", "522y", "--out", "none/r.html")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "error: --out none/r.html lies in a folder that does not exist" in told.stderr


def test_a_run_without_results(runs: Path) -> None:
    (runs / "522y-finished" / "summary.json").unlink()
    told = _invoke("report", "522y")
    assert told.exit_code == 2
    assert "522y-finished has no results yet" in told.stderr
