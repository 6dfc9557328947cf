"""Adversarial training through the command line: a small run, its plan, its refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core import events as ev
from core.journal import read
from core.runs import list_runs
from prunectl.cli.main import app

SMALL = [
    "paradigm.name=adversarial", "paradigm.eps=0.2", "paradigm.attack_steps=2",
    "paradigm.step_size=0.2", "paradigm.eval_steps=5", "paradigm.eval_cw_steps=5",
    "data.validation=20", "model.width=4", "train.epochs=8ep", "retrain.epochs=2ep",
    "prune.rates=[0.5]", "baselines=[random]", "reference=none", "tracking.enabled=false",
]  # fmt: skip


def invoke(runs: Path, *arguments: str, more: tuple[str, ...] = ()) -> Any:
    sets = [part for text in (*SMALL, *more) for part in ("--set", text)]
    return CliRunner().invoke(app, [*arguments, *sets, "--runs-dir", str(runs)])


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    runs = tmp_path_factory.mktemp("runs")
    result = invoke(runs, "run", "quickstart", "--seeds", "1", "--json")
    assert result.exit_code == 0, result.output
    return runs, json.loads(result.stdout)


def test_both_accuracies_are_in_every_trial_and_trade_off(
    summary: tuple[Path, dict[str, Any]],
) -> None:
    found = summary[1]
    wanted = {"test_accuracy", "test_robust_accuracy", "test_cw_robust_accuracy"}
    assert [set(t["metrics"]) for t in found["trials"]] == [wanted] * 2
    assert {(r["method"], r["metric"]) for r in found["tradeoff"]} == {
        (method, metric) for method in ("knn", "random") for metric in wanted
    }


def test_the_ledger_counts_the_passes_of_the_attack(
    summary: tuple[Path, dict[str, Any]],
) -> None:
    """TRADES with two attack steps: two, one on the clean and one on the attacked batch."""
    rows = {row["task"]: row for row in summary[1]["cost"]["stages"]}
    kept = summary[1]["trials"][0]["n_kept"]
    assert rows["score-s0"]["sample_passes"] == summary[1]["subset"]["n"] * 8 * 4
    assert rows["retrain-s0-random-random-r0.5000"]["sample_passes"] == kept * 2 * 4
    events = [r.event for r in read(list_runs(summary[0])[0].journal)]
    plan = next(e for e in events if isinstance(e, ev.Plan))
    planned = {t["task"]: t["sample_passes"] for t in plan.tasks}
    assert planned == {task: row["sample_passes"] for task, row in rows.items()}


def test_curves_of_validation_and_test_are_told(summary: tuple[Path, dict[str, Any]]) -> None:
    events = [r.event for r in read(list_runs(summary[0])[0].journal)]
    series = {e.series for e in events if isinstance(e, ev.Points) and e.task == "score-s0"}
    parts = ("validation", "test")
    names = ("accuracy", "robust_accuracy", "cw_robust_accuracy")
    assert {f"{p}/{n}" for p in parts for n in names} <= series


def test_show_has_a_table_of_each_accuracy(summary: tuple[Path, dict[str, Any]]) -> None:
    runs, found = summary
    shown = CliRunner().invoke(app, ["show", found["run"], "--runs-dir", str(runs)])
    assert shown.exit_code == 0, shown.output
    titles = ("Test accuracy", "Robust test accuracy (PGD)", "Robust test accuracy (PGD on the")
    assert all(title in shown.stdout for title in titles)
    page = next(runs.glob("*/report.html")).read_text(encoding="utf-8")
    assert "Robust validation accuracy in percent" in page
    assert "AutoAttack" not in shown.stdout


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("paradigm.attack_steps=0", "paradigm.attack_steps: input should be greater"),
        ("paradigm.eps=-1", "paradigm.eps: input should be greater than 0"),
        ("paradigm.loss=tardes", "paradigm.loss: input should be 'pgd' or 'trades'"),
        ("paradigm.epss=0.1", "did you mean 'eps'?"),
        ("paradigm.name=adversial", "did you mean 'adversarial'?"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    tmp_path: Path, change: str, says: str
) -> None:
    result = invoke(tmp_path / "runs", "run", "quickstart", more=(change,))
    assert result.exit_code == 2
    assert says in result.output.replace("\n", " ")
    assert not (tmp_path / "runs").exists()


def test_infobatch_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    result = invoke(tmp_path / "runs", "run", "quickstart", more=("baselines=[random,infobatch]",))
    assert result.exit_code == 2
    assert "infobatch weighs the loss of each sample, and adversarial has one" in result.stderr
    assert not (tmp_path / "runs").exists()
