"""Accuracy after pruning by predicted scores, beside pruning by the scores of a full run.

The retrainings of the preset's cells with the 20% subset: dynamic uncertainty, rates 0.3 and 0.7.
Arms differ only in the scores they select by; all arms of a seed share subset, net initialisation
and order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from benchmarks.quality_cells import Setup, Suite
from benchmarks.quality_rows import CROSS_FITTED, MATCHED, Row, predictors_code
from core.files import sha256
from core.pipeline import run_task
from core.plan.tasks import Task

FRACTION = 0.2
RATES = (0.3, 0.7)
TRUTH = "true full scores"
ARMS = (TRUTH, "random", "knn", "auto", CROSS_FITTED, MATCHED)
_BASELINES = {TRUTH: "full_scores", "random": "random"}


def expected(setup: Setup) -> list[tuple[str, int, float, str]]:
    """(suite, seed, rate, arm) of all rows."""
    return [
        (suite, seed, rate, arm)
        for seed in setup.seeds for suite in setup.suites for arm in ARMS for rate in RATES
    ]  # fmt: skip


def key(row: Row) -> tuple[str, int, float, str]:
    """What a row is of."""
    return row["suite"], row["seed"], row["rate"], row["method"]


def rows(
    setup: Setup, known: Iterable[Row], only: Iterable[str] | None = None
) -> Iterator[list[Row]]:
    """Every row, one by one, that ``known`` lacks, or has from other predictors, of suites whose
    truth is there."""
    have = {key(row): row["digest"] for row in known}
    runs: Suite | None = None
    for suite, seed, rate, arm in expected(setup):
        truth = setup.truth_file(suite, seed)
        if (only is not None and arm not in only) or not truth.exists():
            continue
        code = b"" if arm in _BASELINES else predictors_code()
        made_of = hashlib.sha256(code + sha256(truth).encode()).hexdigest()[:16]
        if have.get((suite, seed, rate, arm)) == made_of:
            continue
        wanted = setup.matched() if arm == MATCHED else setup
        if runs is None or (runs.setup, runs.suite, runs.seed) != (wanted, suite, seed):
            runs = Suite(wanted, suite, seed)
        accuracy = _accuracy(runs, arm, rate)
        row = {
            "suite": suite, "seed": seed, "rate": rate, "method": arm, "fraction": FRACTION,
            "digest": made_of, "accuracy": accuracy,
        }  # fmt: skip
        yield [row]


def _accuracy(runs: Suite, arm: str, rate: float) -> float:
    """Share of the test set a net is right about that was trained on what the arm keeps."""
    name = "knn" if arm in (*_BASELINES, "knn") else "auto"
    index = runs.cell(FRACTION, crossfit=arm == CROSS_FITTED, name=name)
    method = _BASELINES.get(arm, name)
    (retraining,) = (
        task for task in runs.tasks(index, "retrain")
        if task.trial and (task.trial.method, task.trial.rate) == (method, rate)
    )  # fmt: skip
    _run_with_needs(runs, retraining)
    return float(runs.ctx.seal(retraining.id).meta["metrics"]["test_accuracy"])


def _run_with_needs(runs: Suite, task: Task) -> None:
    """Run a task after what it needs. Predictions are made anew: a seal of them knows the code of
    its extrapolator's own file alone, and predictors share others."""
    if task.id in runs.ctx.keys:
        return
    for need in task.needs:
        _run_with_needs(runs, runs.graph[need])
    run_task(task, runs.ctx, fresh=task.stage == "extrapolate")
