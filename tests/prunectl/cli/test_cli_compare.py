"""``prunectl compare`` as a user types it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core import jobs
from prunectl import comparison
from prunectl.cli.main import app

JOURNALS = Path(__file__).parents[2] / "journals"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recorded runs."""
    for code, name in (("522y", "finished"), ("jp7k", "resumed")):
        run = tmp_path / f"{code}-{name}"
        run.mkdir()
        for file in ("spec.yaml", "summary.json", "state.json", "events.jsonl"):
            shutil.copy(JOURNALS / name / file, run / file)
    return tmp_path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's answer without a process."""

    def ask(job: Mapping[str, Any]) -> Any:
        return jobs._JOBS[job["job"]](job)

    monkeypatch.setattr("prunectl.cli.compare.ask", ask)


def _invoke(folder: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["compare", *arguments, "--runs-dir", str(folder)])


def test_through_a_real_worker(folder: Path) -> None:
    told = _invoke(folder, "522y", "jp7k", "--json")
    assert told.exit_code == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["schema"] == 1
    assert [run["label"] for run in found["runs"]] == ["522y", "jp7k"]
    # the worker's figures are those of the run's own summary
    own = json.loads((folder / "522y-finished" / "summary.json").read_text())["tradeoff"]
    rows = {(r["method"], r["rate"]): r for r in found["groups"][0]["rows"] if "522y" in r["runs"]}
    for point in own:
        row = rows[point["method"], point["rate"]]
        assert (row["mean"], row["std"], row["n"]) == (point["mean"], point["std"], point["n"])
        if point["vs_random"]:
            assert row["versus"]["ci_low"] == pytest.approx(point["vs_random"]["ci_low"])
    refused = _invoke(folder, "522y", "--baseline", "randum")
    assert refused.exit_code == 2
    assert refused.stderr == (
        "error: no method or run here is called 'randum'\n  did you mean 'random'?\n"
    )


def test_tables_and_words(folder: Path, here: None) -> None:
    text = _invoke(folder, "522y", "jp7k").stdout
    assert "Settings that differ" in text
    assert "Pareto front of test accuracy" in text
    assert "522y knn (class_balanced): below random at 0.3, 0.7" in text
    assert "below 3 paired seeds there is no interval" in text
    assert "tracking" not in text  # no result depends on it


def test_csv_is_plain_numbers(folder: Path, here: None) -> None:
    told = _invoke(folder, "522y", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(told)))
    assert tuple(rows[0]) == comparison.CSV_COLUMNS
    knn = next(r for r in rows if r["method"] == "knn" and r["rate"] == "0.7")
    assert float(knn["difference"]) == pytest.approx(-0.05504, abs=1e-5)
    assert (knn["pairs"], knn["distinguishable"], knn["versus"]) == ("3", "True", "random")
    assert float(knn["loop_seconds"]) > 0
    full = next(r for r in rows if r["method"] == "full")
    assert (full["difference"], full["front_seconds"]) == ("", "True")
    assert full["not_paired"] == "no random at rate 0 with this data and recipe"


def test_markdown(folder: Path, here: None) -> None:
    told = _invoke(folder, "522y", "jp7k", "--markdown").stdout
    assert "| setting | 522y | jp7k |" in told
    assert "| prune.policy | class_balanced | top_k |" in told
    widths = {line.count("|") for line in told.splitlines() if line.startswith("| 522y | knn")}
    assert widths == {12}


def test_many_runs_are_rows_of_the_settings() -> None:
    found = {
        "runs": [{"label": c} for c in "abcde"],
        "settings": [{"key": "extrapolate.k", "values": [1, 2, 3, 4, None]}],
    }
    grid = comparison.settings(found)
    assert list(grid.columns) == ["run", "extrapolate.k"]
    assert grid.rows[-1] == ["e", "null"]


def test_a_baseline_that_was_not_listed_joins(folder: Path, here: None) -> None:
    found = json.loads(_invoke(folder, "522y", "--baseline", "jp7", "--json").stdout)
    assert found["baseline"] == {"method": "knn", "run": "jp7k"}
    assert [run["label"] for run in found["runs"]] == ["522y", "jp7k"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["522z"], "no run is called '522z'"),
        (["522y", "--json", "--csv"], "more than one of --json, --csv, --markdown"),
    ],
)
def test_one_clear_line(folder: Path, arguments: list[str], what: str) -> None:
    told = _invoke(folder, *arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert what in told.stderr
    assert len(told.stderr.splitlines()) == 2


def test_a_run_without_results(folder: Path, here: None) -> None:
    (folder / "jp7k-resumed" / "summary.json").unlink()
    told = _invoke(folder, "522y", "jp7k")
    assert told.exit_code == 2
    assert told.stderr.startswith("error: jp7k-resumed has no results yet\n")


def test_a_page_about_several_runs(
    folder: Path, tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prunectl.cli.report.ask", lambda job: jobs._JOBS[job["job"]](job))
    out = tmp_path / "both.html"
    runner = CliRunner()
    where = ["--runs-dir", str(folder)]
    told = runner.invoke(app, ["report", "522y", "jp7k", "--out", str(out), *where])
    assert (told.exit_code, told.stdout.strip()) == (0, str(out)), told.stderr
    assert "2 runs compared" in out.read_text()
    refused = runner.invoke(app, ["report", "522y", "jp7k", *where])
    assert refused.exit_code == 2
    assert "name it with --out" in refused.stderr
