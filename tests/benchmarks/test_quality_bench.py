"""The quality bench's own arithmetic: budgets, pairing, what is worse, what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks import quality_goals as goals
from benchmarks import quality_rows as quality
from benchmarks.quality_cells import Setup, Subset, mixed_methods
from benchmarks.quality_goals import Goal
from benchmarks.quality_report import missing, report

SCORES = ("dynamic_uncertainty", "tdds")
COSTS = {
    "score": {"passes": 60, "flops": 600}, "embed": {"passes": 40, "flops": 100},
    "crossfit": {"passes": 100, "flops": 900}, "direct": {"passes": 500, "flops": 2000},
}  # fmt: skip


def _row(method: str, fraction: float, seed: int, spearman: float, suite: str = "easy") -> Any:
    return {
        "suite": suite, "seed": seed, "fraction": fraction, "method": method, "score": "tdds",
        "spearman": spearman, "n": 100, "flops": 10, "passes": 5, "ceiling": 0.5,
    }  # fmt: skip


def test_twice_the_budget_is_paired_with_the_smaller_subset() -> None:
    rows = [_row("paper_knn", f, 0, v) for f, v in ((0.1, 0.1), (0.2, 0.3), (0.4, 0.6))]
    assert goals.values(rows, "paper_knn") == {
        ("easy", 0.1, "tdds"): {0: 0.1}, ("easy", 0.2, "tdds"): {0: 0.3},
    }  # fmt: skip
    assert goals.values(rows, "paper_knn x2") == {
        ("easy", 0.1, "tdds"): {0: 0.3}, ("easy", 0.2, "tdds"): {0: 0.6},
    }  # fmt: skip


def test_a_goal_is_the_mean_over_cells_paired_by_seed() -> None:
    rows = []
    for seed, (easy, hard) in enumerate([(0.05, 0.01), (0.06, 0.02), (0.07, 0.03)]):
        for suite, more in (("easy", easy), ("hard", hard)):
            rows.append(_row("paper_knn", 0.1, seed, 0.2 * seed, suite))
            rows.append(_row("auto", 0.1, seed, 0.2 * seed + more, suite))
    rows.append(_row("auto", 0.1, 7, 0.9))  # a seed the other lacks counts for nothing
    apart = goals.reached(Goal("auto", "paper_knn", 0.04), rows)
    assert apart is not None and apart.n == 3
    # per seed .03 .04 .05: mean .04, standard error .01 / sqrt 3, t(2) = 4.3027
    assert (apart.mean, apart.ci_low) == (
        pytest.approx(0.04),
        pytest.approx(0.04 - 4.3027 * 0.01 / 3**0.5, abs=1e-5),
    )
    assert goals.reached(Goal("auto", "paper_gcn", 0.02), rows) is None


def test_a_cell_is_surely_worse_where_the_whole_interval_is() -> None:
    rows = []
    for suite, behind in (("easy", (0.05, 0.051, 0.052)), ("hard", (0.0, 0.05, 0.2))):
        for seed, less in enumerate(behind):
            rows += [_row("auto", 0.2, seed, 0.5 - less, suite)]
            rows += [_row("paper_knn", 0.2, seed, 0.5, suite)]
    found = {w.place[0]: w.surely for w in goals.worse(rows, Goal("auto", "paper_knn", 0.04))}
    assert found == {"easy": True, "hard": False}
    told = list(goals.cells_table(rows))
    assert "1 of 2 cells worse" in told[0] and "2 by the mean alone" in told[0]


def test_accuracies_are_averaged_over_the_suites_that_have_both_sides() -> None:
    def row(suite: str, method: str, accuracy: float) -> Any:
        return {"suite": suite, "seed": 0, "rate": 0.3, "method": method, "accuracy": accuracy}

    rows = [row("easy", "auto", 0.8), row("hard", "auto", 0.1), row("easy", goals.TRUTH, 0.9)]
    assert goals.accuracies(rows, "auto", 0.3, None) == {0: 0.8}
    rows.append(row("hard", goals.TRUTH, 0.3))
    assert goals.accuracies(rows, "auto", 0.3, None) == {0: pytest.approx(0.45)}


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Runs of one suite and seed, drawn: 60 samples, 12 scored."""
    made = Setup(tmp_path, seeds=(0,), suites=("easy",))
    rng = np.random.default_rng(0)
    for fraction in (0.1, 0.2, 0.4):
        Subset(
            SCORES, np.arange(12), rng.random((12, 2), np.float32),
            rng.random((60, 4), np.float32), np.full((60, 3), 1 / 3, np.float32),
            rng.integers(0, 3, 60), np.arange(24, 60), COSTS,
            rng.random((60, 6), np.float32), rng.random((60, 2), np.float32),
        ).write(made.cell_file("easy", 0, fraction))  # fmt: skip
    for again in (False, True):
        file = made.truth_file("easy", 0, again)
        file.parent.mkdir(exist_ok=True)
        np.savez(file, full=rng.random((60, 2), np.float32), names=json.dumps(SCORES))
    return made


def test_rows_know_their_budget_and_are_made_again_only_when_something_changed(
    setup: Setup,
) -> None:
    wanted = ["paper_knn", "direct", "dynamics", quality.RELIABILITY]
    made = [row for group in quality.rows(setup, [], wanted) for row in group]
    passes = {row["method"]: (row["passes"], row["flops"]) for row in made if "passes" in row}
    assert passes == {"paper_knn": (100, 700), "direct": (500, 2000), "dynamics": (200, 1600)}
    subset = Subset.read(setup.cell_file("easy", 0, 0.2))
    full = np.load(setup.truth_file("easy", 0))["full"]
    (direct,) = (
        r for r in made if (r["method"], r["fraction"], r["score"]) == ("direct", 0.2, "tdds")
    )
    assert subset.direct is not None
    outside = subset.unseen
    reference = spearmanr(subset.direct[outside, 1], full[outside, 1]).statistic
    assert direct["spearman"] == pytest.approx(reference)
    assert list(quality.rows(setup, made, wanted)) == []
    setup.truth_file("easy", 0).write_bytes(setup.truth_file("easy", 0, True).read_bytes())
    assert len(list(quality.rows(setup, made, wanted))) == 3 + 4 + 1


def test_scores_read_in_part_are_predicted_where_they_are_there(setup: Setup) -> None:
    assert setup.matched().sweep(0)[0].spec.score.until == "matched"
    assert list(quality.rows(setup, [], [quality.MATCHED])) == []  # not there yet
    scores = Subset.read(setup.cell_file("easy", 0, 0.2)).scores
    file = setup.matched_file("easy", 0, 0.2)
    file.parent.mkdir()
    np.save(file, -scores)
    (made,) = quality.rows(setup, [], [quality.MATCHED])
    full = np.load(setup.truth_file("easy", 0))["full"][:12]
    for column, row in enumerate(made):
        assert (row["method"], row["fraction"], row["passes"]) == ("auto, matched", 0.2, 100)
        reference = spearmanr(-scores[:, column], full[:, column]).statistic
        assert row["ceiling"] == pytest.approx(reference)
    assert list(quality.rows(setup, made, [quality.MATCHED])) == []


def test_the_report_says_what_was_not_run(setup: Setup) -> None:
    made = [row for group in quality.rows(setup, [], ["paper_knn"]) for row in group]
    lines = list(missing(setup, made, []))
    assert "- auto on 10%: nowhere run" in lines
    assert "- retraining, random, rate 0.3: nowhere run" in lines
    assert not any("paper_knn on" in line for line in lines)
    text = report(setup, made, [])
    assert "| auto | paper_knn | not run |" in text and "easy (60)" in text


def test_the_presets_mixture_reads_cross_fitted_nets() -> None:
    assert "dynamics" in mixed_methods() and len(mixed_methods()) > 1
