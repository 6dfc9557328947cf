"""``compare`` and ``report`` on a sweep: its cells, and those that are missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from core import events as ev
from core import jobs
from core.journal import Journal
from core.runs import State
from core.sweep_spec import parse_sweep
from core.sweeps import Sweep, create_sweep
from prunectl.cli.main import app

RECORDED = Path(__file__).parents[2] / "journals" / "finished"


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A sweep of four cells: two are the recorded run with other k, one failed, one is to come."""
    for command in ("compare", "report"):
        monkeypatch.setattr(f"prunectl.cli.{command}.ask", lambda job: jobs._JOBS[job["job"]](job))
    base = yaml.safe_load((RECORDED / "spec.yaml").read_text())
    spec = parse_sweep(base, (), ("extrapolate.k=3,5,9,20",))
    found = create_sweep(tmp_path, spec, {})
    found.write_state(State("failed", "cells_failed"))
    cells = spec.cells()
    journal = Journal(found.journal)
    about = [{"id": c.id, "settings": dict(c.settings)} for c in cells]
    journal.append(ev.SweepStarted(found.id, spec.to_dict(), about, "h", [], {}))
    for index, cell in enumerate(cells[:2]):
        _fill(found, cell.id, cell.spec.to_yaml(), 0.01 * index)
        journal.append(ev.CellFinished(cell.id, "finished"))
    journal.append(ev.CellFinished(cells[2].id, "failed", "oom", "no <room>"))
    journal.close()
    return found


def _fill(sweep: Sweep, cell: str, spec: str, better: float) -> None:
    run = sweep.cell(cell)
    shutil.copytree(RECORDED, run.path)
    run.spec_file.write_text(spec)
    summary = json.loads(run.summary_file.read_text())
    summary["run"] = run.id
    for trial in summary["trials"]:
        if trial["method"] == "knn":
            trial["metrics"]["test_accuracy"] += better * (1 + trial["seed"])
    run.summary_file.write_text(json.dumps(summary))


def _invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def _compared(sweep: Sweep, *arguments: str) -> Mapping[str, Any]:
    told = _invoke("compare", sweep.id[:4], *arguments, "--json", "--runs-dir", sweep.runs)
    assert told.exit_code == 0, told.stderr
    found: Mapping[str, Any] = json.loads(told.stdout)
    return found


def test_a_sweep_stands_for_its_cells(sweep: Sweep) -> None:
    found = _compared(sweep)
    assert [run["label"] for run in found["runs"]] == ["00-3", "01-5"]
    assert found["settings"] == [{"key": "extrapolate.k", "values": [3, 5]}]
    assert found["notes"][:2] == [
        f"02-9 of {sweep.id} is not compared: failed (oom)",
        f"03-20 of {sweep.id} is not compared: pending",
    ]
    shared = [row for row in found["groups"][0]["rows"] if row["method"] == "random"]
    assert {tuple(row["runs"]) for row in shared} == {("00-3", "01-5")}


def test_a_cell_is_a_baseline(sweep: Sweep) -> None:
    found = _compared(sweep, "--baseline", "00")
    assert found["baseline"] == {"method": "knn", "run": "00-3"}
    rows = {(*row["runs"], row["method"]): row for row in found["groups"][0]["rows"]}
    versus = rows["01-5", "knn"]["versus"]
    # 1, 2 and 3 points better by seed: mean 2, half width t(.975, 2) * 1 / sqrt(3)
    assert versus["mean"] == pytest.approx(0.02)
    assert versus["ci_low"] == pytest.approx(0.02 - 4.302653 * 0.01 / 3**0.5, abs=1e-7)


def test_a_sweep_and_one_of_its_cells_is_no_double(sweep: Sweep) -> None:
    again = _compared(sweep, f"{sweep.id}/01-5")
    assert [run["label"] for run in again["runs"]] == ["00-3", "01-5"]


def test_short_names_in_crowded_tables(sweep: Sweep) -> None:
    text = _invoke("compare", sweep.id, "--runs-dir", sweep.runs).stdout
    starts = [line.split()[:2] for line in text.splitlines()]
    assert ["00", "knn"] in starts
    assert ["all", "random"] in starts


def test_its_page_lies_in_its_folder(sweep: Sweep) -> None:
    told = _invoke("report", sweep.id, "--runs-dir", sweep.runs)
    page = sweep.path / "report.html"
    assert (told.exit_code, told.stdout.strip()) == (0, str(page)), told.stderr
    text = page.read_text()
    assert "2 ways to drop samples, compared" in text
    assert "no &lt;room&gt;" in text
    assert "2 cells are not finished" in text


def test_a_sweep_without_a_result(sweep: Sweep) -> None:
    shutil.rmtree(sweep.path / "cells")
    for command in ("compare", "report"):
        told = _invoke(command, sweep.id, "--runs-dir", sweep.runs)
        assert told.exit_code == 2
        assert "has no cell with a result yet (failed)" in told.stderr
        assert len(told.stderr.splitlines()) == 2
