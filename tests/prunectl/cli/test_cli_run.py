"""``run``, ``resume``, ``attach``, ``logs`` and what they say, with a fake worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from core.runs import list_runs
from prunectl.cli import dryrun
from prunectl.cli.main import app

Use = Callable[[str], list[tuple[str, ...]]]


@pytest.fixture
def invoke(runs: Path) -> Callable[..., Any]:
    """Run a command on this test's runs folder."""

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--runs-dir", str(runs)])

    return call


def test_a_run_ends_with_its_results(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    extras = fake("ok")
    result = invoke("run", str(spec_file))
    assert result.exit_code == 0, result.output
    assert extras == [()]
    for said in ("Test accuracy", "Rank correlation", "What it cost", "pays above rate 0.34"):
        assert said in result.stdout
    assert str(list_runs(runs)[0].path) in result.stdout
    assert "score-s0 done (1.00 s)" in result.stderr
    assert "\x1b" not in result.output  # no bars, no colours where there is no terminal


def test_json_is_the_summary_and_nothing_else(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    fake("ok")
    result = invoke("run", str(spec_file), "--json")
    assert json.loads(result.stdout) == list_runs(runs)[0].summary()


def test_fresh_and_overrides_reach_the_worker(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    extras = fake("ok")
    result = invoke(
        "run", str(spec_file), "--fresh", "--seeds", "2", "--device", "cpu",
        "--set", "train.epochs=14ep", "--set", "prune.rates=[0.3, 0.4]",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert extras == [("--fresh",)]
    written = yaml.safe_load(list_runs(runs)[0].spec_file.read_text())
    assert written["seeds"] == [0, 1]
    assert written["compute"]["device"] == "cpu"
    assert written["train"]["epochs"] == "14ep"
    assert written["prune"]["rates"] == [0.3, 0.4]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "nothing to run is named"),
        (["run", "quikstart"], "did you mean 'quickstart'?"),
        (["run", "quickstart", "--preset", "quickstart"], "give one of them"),
        (["run", "no/such.yaml"], "there is no file no/such.yaml"),
        (["run", "quickstart", "--set", "trian.epochs=3ep"], "did you mean 'train'?"),
        (["run", "quickstart", "--set", "train.epochs=3"], "with its unit"),
        (["run", "quickstart", "--set", "prune.rates=[1.5]"], "not between 0 and 1"),
        (["run", "quickstart", "--set", "nonsense"], "is not key=value"),
        (["run", "quickstart", "--seeds", "0"], "at least one seed"),
        (["show", "abcd"], "there are no runs in"),
        (["resume", "abcd"], "start one with"),
        (["restore", "abcd"], "the trash is empty"),
    ],
)
def test_user_errors(
    invoke: Callable[..., Any], fake: Use, runs: Path, arguments: list[str], says: str
) -> None:
    fake("ok")
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert not runs.exists() or not any(runs.iterdir())  # nothing half-written


def test_all_problems_of_a_spec_are_listed_at_once(invoke: Callable[..., Any], fake: Use) -> None:
    fake("ok")
    wrong = ["train.batch=x", "train.epohcs=3ep", "model.nam=convnet", "seeds=[1, 1]"]
    result = invoke("run", "quickstart", *(a for w in wrong for a in ("--set", w)))
    assert result.exit_code == 2
    for said in ("train.batch", "train.epohcs: no such key", "model.nam"):
        assert said in result.stderr


@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_what_the_worker_refuses_leaves_no_folder(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path, detach: tuple[str, ...]
) -> None:
    fake("bad_input")
    result = invoke("run", str(spec_file), *detach)
    assert result.exit_code == 2
    assert result.stderr.endswith("error: the data are bad\n  mend them\n")
    assert list(runs.iterdir()) == []


def test_a_failure_says_what_and_how_to_go_on(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    fake("diverged")
    result = invoke("run", str(spec_file))
    assert result.exit_code == 1
    assert "error: the loss is NaN\n  lower the rate\n" in result.stderr
    assert result.stderr.count("error: ") == 1
    assert f"prunectl resume {list_runs(runs)[0].id}" in result.stderr


def test_a_dead_worker_is_a_failure(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    fake("crash")
    result = invoke("run", str(spec_file))
    run = list_runs(runs)[0]
    assert result.exit_code == 1
    assert f"error: the worker of {run.id} is gone" in result.stderr
    assert f"prunectl resume {run.id}" in result.stderr
    assert str(run.log) in result.stderr


@pytest.mark.parametrize("scenario", ["endless", "queued"])
def test_detach_names_the_run_and_leaves_it(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path, scenario: str
) -> None:
    fake(scenario)
    result = invoke("run", str(spec_file), "--detach")
    run = list_runs(runs)[0]
    assert (result.exit_code, result.stdout) == (0, f"{run.id}\n")
    assert run.state().alive
    told = invoke("ls", "--json")
    assert json.loads(told.stdout)["runs"][0]["behind"] == run.state().behind


def test_detach_in_json(invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path) -> None:
    fake("endless")
    said = json.loads(invoke("run", str(spec_file), "--detach", "--json").stdout)
    assert (said["schema"], said["run"]) == (1, list_runs(runs)[0].id)


def test_stop_then_resume(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    fake("endless")
    name = invoke("run", str(spec_file), "--detach").stdout.strip()
    assert invoke("stop", name).exit_code == 0
    told = invoke("logs", "-f", name)  # until the worker is gone
    assert "run stopped" in told.stdout
    assert invoke("ls", "--json").exit_code == 0
    fake("ok")
    result = invoke("resume", name[:4])
    assert result.exit_code == 0, result.output
    assert "Test accuracy" in result.stdout
    again = invoke("resume", name)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "nothing to do" in again.stderr


def test_resume_refuses_a_changed_spec(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    fake("ok")
    invoke("run", str(spec_file))
    run = list_runs(runs)[0]
    before = run.state()
    run.spec_file.write_text(run.spec_file.read_text().replace("batch: 64", "batch: 32"))
    extras = fake("ok")
    result = invoke("resume", run.id)
    assert result.exit_code == 2
    assert "  train.batch: 64 -> 32\n" in result.stderr
    assert extras == []
    assert run.state() == before


def test_attach_to_an_ended_run_shows_how_it_ended(
    invoke: Callable[..., Any], fake: Use, spec_file: Path
) -> None:
    fake("ok")
    invoke("run", str(spec_file))
    result = invoke("attach")  # the newest
    assert result.exit_code == 0
    assert "is finished" in result.stderr
    assert "Test accuracy" in result.stdout


def test_logs_tell_the_journal_or_what_the_worker_printed(
    invoke: Callable[..., Any], fake: Use, spec_file: Path, runs: Path
) -> None:
    fake("ok")
    invoke("run", str(spec_file))
    list_runs(runs)[0].log.write_text("a library says hello\n")
    told = invoke("logs")
    assert "plan: 3 tasks, 4,000 sample passes" in told.stdout
    assert invoke("logs", "--worker").stdout == "a library says hello\n"


_ESTIMATE = {
    "tasks": [
        {"task": "score-s0", "stage": "score", "seed": 0, "seconds": 3.0, "sample_passes": 3024,
         "reused": True},
        {"task": "retrain-s0-a", "stage": "retrain", "seed": 0, "seconds": 5.0,
         "sample_passes": 7548, "reused": False},
    ],
    "by_rate": [{"method": "knn", "policy": "top_k", "rate": 0.5, "loop_seconds": 8.0,
                 "saving": 0.2, "saving_passes": 0.25}],
    "break_even_rate": 0.3, "full_seconds": 10.0, "seconds": 5.0, "sample_passes": 7548,
    "disk_bytes": 2_000_000, "source": "probe", "device": "cpu",
    "cannot_pay": ["pruning 10% cannot pay"],
}  # fmt: skip


def test_dry_run_predicts_and_writes_nothing(
    invoke: Callable[..., Any], spec_file: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(dryrun, "ask", lambda job, narrate: asked.append(job) or _ESTIMATE)
    result = invoke("run", str(spec_file), "--dry-run")
    assert result.exit_code == 0, result.output
    assert (asked[0]["job"], asked[0]["spec"]["name"]) == ("estimate", "small")
    for said in ("7,548", "from a short probe", "pays above rate 0.30", "cannot pay", "2.0 MB"):
        assert said in result.stdout
    assert not runs.exists()
    plain = invoke("run", str(spec_file), "--dry-run", "--json")
    assert json.loads(plain.stdout) == _ESTIMATE
