"""``ls``, ``show``, ``presets``, ``plugins``, ``rm``, ``restore``, ``where``, ``doctor``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_samples import summary
from typer.testing import CliRunner

from core.errors import RunFailure
from core.files import write_json
from core.leases import lease
from core.runs import Run
from prunectl.cli import doctor
from prunectl.cli.main import app

StartFake = Callable[[Run, str], subprocess.Popen[bytes]]


def _invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def finished(new_run: Run) -> Run:
    """A finished run with a summary."""
    write_json(new_run.summary_file, summary(new_run.id))
    new_run.write_state(replace(new_run.state(), status="finished"))
    return new_run


def test_ls(finished: Run, runs: Path) -> None:
    told = json.loads(_invoke("ls", "--json", "--runs-dir", runs).stdout)
    assert told["schema"] == 1
    (row,) = told["runs"]
    assert (row["id"], row["status"], row["data"]) == (finished.id, "finished", "digits")
    assert row["break_even_rate"] == 0.337
    assert finished.id in _invoke("ls", "--runs-dir", runs).stdout


def test_ls_of_nothing(runs: Path) -> None:
    assert json.loads(_invoke("ls", "--json", "--runs-dir", runs).stdout)["runs"] == []
    empty = _invoke("ls", "--runs-dir", runs)
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "prunectl run quickstart" in empty.stderr


def test_a_dead_worker_is_listed_as_stale(new_run: Run, runs: Path, start_fake: StartFake) -> None:
    process = start_fake(new_run, "endless")
    while new_run.state().status != "running":
        assert process.poll() is None
    process.kill()
    process.wait()
    told = json.loads(_invoke("ls", "--json", "--runs-dir", runs).stdout)
    assert told["runs"][0]["status"] == "stale"


def test_show(finished: Run, runs: Path) -> None:
    prefix = finished.id[:4]
    told = _invoke("show", prefix, "--json", "--runs-dir", runs)
    assert json.loads(told.stdout) == summary(finished.id)
    shown = _invoke("show", "--runs-dir", runs).stdout
    assert "finished" in shown
    assert "Test accuracy" in shown


def test_show_of_a_run_without_results(new_run: Run, runs: Path) -> None:
    told = _invoke("show", new_run.id, "--json", "--runs-dir", runs)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "no results yet" in told.stderr
    assert _invoke("show", new_run.id, "--runs-dir", runs).exit_code == 0


def test_a_wrong_name_names_the_nearest_run(finished: Run, runs: Path) -> None:
    wrong = finished.id.replace("small", "smal")
    told = _invoke("show", "x" + wrong, "--runs-dir", runs)
    assert told.exit_code == 2
    assert f"did you mean '{finished.id}'?" in told.stderr


def test_rm_and_restore(finished: Run, runs: Path) -> None:
    assert _invoke("rm", finished.id, "nothing", "--runs-dir", runs).exit_code == 2
    assert finished.spec_file.exists()  # all names are looked up before anything is moved
    assert _invoke("rm", finished.id, "--runs-dir", runs).exit_code == 0
    assert not finished.path.exists()
    assert _invoke("restore", finished.id[:4], "--runs-dir", runs).exit_code == 0
    assert finished.summary() == summary(finished.id)


def test_rm_refuses_a_live_run(new_run: Run, runs: Path, start_fake: StartFake) -> None:
    process = start_fake(new_run, "endless")
    while new_run.state().status != "running":
        assert process.poll() is None
    told = _invoke("rm", new_run.id, "--runs-dir", runs)
    assert told.exit_code == 2
    assert "prunectl stop" in told.stderr
    assert new_run.spec_file.exists()


def test_presets_are_listed_and_printed() -> None:
    told = json.loads(_invoke("presets", "--json").stdout)
    assert told["schema"] == 1
    assert {"quickstart", "cifar10-du"} <= {p["name"] for p in told["presets"]}
    printed = _invoke("presets", "quickstart").stdout
    assert "name: quickstart" in printed
    assert "#" in printed


def test_plugins_are_listed_without_importing_them() -> None:
    told = json.loads(_invoke("plugins", "--json").stdout)
    found = {(p["kind"], p["name"]): p for p in told["plugins"]}
    assert ("dataset", "digits") in found
    assert found["score", "dynamic_uncertainty"]["presets"] == ["paper", "nieth", "legacy_se"]
    assert [p["name"] for p in found["model", "convnet"]["params"]] == ["width"]
    path, column, _ = found["score", "external"]["params"]
    assert (path["name"], path["required"], path["default"]) == ("path", True, None)
    assert not column["required"]
    assert "path = must be given" in _invoke("plugins", "score").stdout
    assert "width = 32" in _invoke("plugins", "model").stdout
    wrong = _invoke("plugins", "scores")
    assert wrong.exit_code == 2
    assert "did you mean 'score'?" in wrong.stderr


def test_where_names_every_path(runs: Path, tmp_path: Path) -> None:
    told = json.loads(_invoke("where", "--json", "--runs-dir", runs).stdout)["paths"]
    assert told["runs"] == str(runs)
    assert told["store"] == str(runs / "store")
    assert Path(told["core"], "spec.py").is_file()
    assert str(runs) in _invoke("where", "--runs-dir", runs).stdout


def _healthy(job: Any) -> Any:
    return {"checks": [{"name": "torch", "ok": True, "text": "torch 9"}]}


def test_doctor_of_a_healthy_machine(
    new_run: Run, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ask", _healthy)
    with lease("cpu", "abcd-other", lambda _: None, lambda: None):
        told = _invoke("doctor", "--json", "--runs-dir", runs)
    assert told.exit_code == 0, told.output
    checks = {c["name"]: c for c in json.loads(told.stdout)["checks"]}
    assert "abcd-other" in checks["cpu-slot0"]["text"]
    assert checks["torch"]["text"] == "torch 9"
    assert "core" in checks["core"]["text"]
    assert "1 run" in checks["runs"]["text"]
    free = _invoke("doctor", "--runs-dir", runs)
    assert "cpu-slot0" in free.stdout
    assert "free" in free.stdout


def test_doctor_names_stale_runs(new_run: Run, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ask", _healthy)
    new_run.write_state(replace(new_run.state(), status="running", pid=1, pid_start="long ago"))
    assert f"stale, worker gone: {new_run.id}" in _invoke("doctor", "--runs-dir", runs).stdout


def test_doctor_of_an_unfit_machine(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Any) -> Any:
        raise RunFailure("the worker ended with code 1: no torch")

    monkeypatch.setattr(doctor, "ask", broken)
    told = _invoke("doctor", "--json", "--runs-dir", runs)
    assert told.exit_code == 4
    assert not json.loads(told.stdout)["ok"]
    assert "FAIL worker" in _invoke("doctor", "--runs-dir", runs).stdout


def test_doctor_sees_a_folder_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ask", _healthy)
    (tmp_path / "file").touch()
    told = _invoke("doctor", "--runs-dir", tmp_path / "file" / "runs")
    assert told.exit_code == 4
    assert "cannot be written" in told.stdout
