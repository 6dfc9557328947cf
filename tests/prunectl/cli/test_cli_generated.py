"""Real and generated samples in one run, through the command line: digits and noisy copies of other
digits, all real ones scored and a part of the pool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from prunectl.cli.main import app

REAL, POOL, SCORED = 250, 1000, 700
COMMON = [
    "data.name=arrays", "data.size=null", "data.test_fraction=null", "subset.fraction=null",
    f"subset.n={SCORED}",
    "subset.how=real", "reference=full", "prune.rates=[0.2,0.5]", "baselines=[random,full]",
    "train.epochs=12ep", "score.record=eval_pass", "retrain.epochs=4ep", "train.batch=50",
    "retrain.batch=50", "retrain.generated_fraction=0.7", "retrain.epoch=real",
    "tracking.enabled=false",
]  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    digits, rng = load_digits(), np.random.default_rng(0)
    order = rng.permutation(len(digits.target))
    pictures = (digits.images[order] / 16).astype(np.float32)
    labels = digits.target[order].astype(np.int64)
    noisy = pictures[REAL : REAL + POOL] + rng.normal(0, 0.25, (POOL, 8, 8))
    out = tmp_path_factory.mktemp("data") / "pool.npz"
    np.savez(
        out, x_train=np.concatenate([pictures[:REAL], noisy.clip(0, 1).astype(np.float32)]),
        y_train=labels[: REAL + POOL], x_test=pictures[REAL + POOL :],
        y_test=labels[REAL + POOL :], source_train=np.repeat([0, 1], (REAL, POOL)),
    )  # fmt: skip
    return out


def invoke(file: Path, *arguments: str, more: tuple[str, ...] = ()) -> Any:
    sets = [p for text in (*COMMON, f"data.root={file}", *more) for p in ("--set", text)]
    return CliRunner().invoke(app, [*arguments, "quickstart", *sets, "--seeds", "1"])


@pytest.fixture(scope="module")
def summary(file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    runs = tmp_path_factory.mktemp("runs")
    done = invoke(file, "run", "--json", "--runs-dir", str(runs))
    assert done.exit_code == 0, done.output
    shown = CliRunner().invoke(app, ["show", "--runs-dir", str(runs)])
    found: dict[str, Any] = json.loads(done.stdout)
    found["shown"], found["page"] = shown.stdout, next(runs.glob("*/report.html")).read_text()
    return found


def test_scores_of_the_pool_extrapolate(summary: dict[str, Any]) -> None:
    """With an interval above 0, on generated samples that were not scored and by the held-out."""
    (row,) = summary["extrapolation"]
    unscored, held = row["generated"]["reference"], row["generated"]["heldout"]
    assert unscored["n"] == REAL + POOL - SCORED
    assert unscored["ci_low"] > 0 and held["ci_low"] > 0
    assert unscored["ci_low"] < unscored["spearman"] < unscored["ci_high"]
    assert held["n"] < row["heldout"]["n"], "the real ones are not among them"
    # every unscored sample is a generated one here
    assert row["reference"]["spearman"] == pytest.approx(unscored["spearman"])


def test_it_is_told_in_terminal_and_report(summary: dict[str, Any]) -> None:
    said = "generated samples alone, dynamic_uncertainty, seed 0: held-out (optimistic) "
    for text in (summary["shown"], summary["page"]):
        assert said in " ".join(text.split())
        assert "nothing is saved in retraining, only data" in " ".join(text.split())


def test_retrainings_take_as_many_steps_whatever_was_kept(summary: dict[str, Any]) -> None:
    steps = {t["steps"] for t in summary["trials"]}
    passes = {t["sample_passes"] for t in summary["trials"]}
    assert (steps, passes) == ({4 * REAL // 50}, {4 * REAL})
    assert summary["cost"]["budget"] == "real"


def test_data_without_a_pool_are_refused_in_a_line(tmp_path: Path) -> None:
    arguments = ["--set", "retrain.epoch=real", "--runs-dir", str(tmp_path / "runs")]
    done = CliRunner().invoke(app, ["run", "quickstart", *arguments])
    assert done.exit_code == 2
    assert "retrain.epoch: real: digits has no generated training samples" in done.stderr
    assert not list((tmp_path / "runs").glob("*/spec.yaml"))


def test_a_score_of_the_training_itself_is_refused(file: Path, tmp_path: Path) -> None:
    more = ("train.generated_fraction=0.5", "score.record=train_forward")
    done = invoke(file, "run", "--runs-dir", str(tmp_path), more=more)
    assert done.exit_code == 2
    assert "use eval_pass" in done.stderr
