"""``du`` and ``gc`` on a recorded run and an entry that nobody refers to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.store import Store
from prunectl.cli.main import app

RECORDED = Path(__file__).parents[2] / "journals" / "finished"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    shutil.copytree(RECORDED, folder / "522y-finished")
    key = json.loads((RECORDED / "refs.json").read_text())["keys"][0]
    for name in (key, "net-0123"):
        with Store(folder / "store").writing(name) as out:
            (out.path / "data.bin").write_bytes(b"x" * 2_000_000)
    return folder


def _invoke(runs: Path, *arguments: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, [*arguments, "--runs-dir", str(runs)], input=typed)


def test_du_counts_and_gc_deletes_what_it_said(runs: Path) -> None:
    told = _invoke(runs, "du")
    assert told.exit_code == 0
    row = next(line for line in told.stdout.splitlines() if "522y" in line)
    assert row.split()[-4:] == ["2.0", "MB", "2.0", "MB"]
    assert "of it nobody refers to  2.0 MB" in told.stdout
    plain = json.loads(_invoke(runs, "du", "--json").stdout)
    assert plain["schema"] == 1 and plain["runs"][0]["run"] == "522y-finished"
    assert 2_000_000 < plain["unreferenced"] < 2_002_000

    looked = _invoke(runs, "gc", "--dry-run")
    assert looked.stdout == "1 stored result to which no run refers: 2.0 MB\n"
    unsure = _invoke(runs, "gc", typed="n\n")
    assert unsure.exit_code == 2 and "error: nothing was deleted" in unsure.stderr
    assert (runs / "store" / "net-0123").exists()

    done = _invoke(runs, "gc", "--yes")
    assert (done.exit_code, done.stderr) == (0, "2.0 MB deleted\n")
    assert not (runs / "store" / "net-0123").exists()
    assert json.loads(_invoke(runs, "du", "--json").stdout)["unreferenced"] == 0
    assert "there is nothing to delete" in _invoke(runs, "gc").stderr


def test_no_runs_folder(tmp_path: Path) -> None:
    told = _invoke(tmp_path / "none", "du")
    assert told.exit_code == 2 and "there is no runs folder" in told.stderr
    assert _invoke(tmp_path / "none", "gc", "--yes").exit_code == 0
    assert not (tmp_path / "none").exists()
