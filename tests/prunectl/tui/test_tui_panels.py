"""Panels without a terminal, on recorded runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from recorded import DIVERGED, FINISHED, RESUMED, copy_runs, read

from core.predicted import Predicted
from core.runs import Run
from prunectl import words
from prunectl.tui.drawing import Look, plain, width_of
from prunectl.tui.known import Choice, Known
from prunectl.tui.panels import cost, curves, device, extrapolation, scores, stages, tradeoff

DRAW = {
    "curves": curves.draw, "extrapolation": extrapolation.draw, "tradeoff": tradeoff.draw,
    "cost": cost.draw, "scores": scores.draw, "device": device.draw, "stages": stages.draw,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def finished(folder: Path) -> Known:
    return read(Run(folder / FINISHED))[0]


def shown(name: str, known: Known, width: int = 80, height: int = 24, **choice: object) -> str:
    return plain(DRAW[name](known, Choice(**choice), width, height, Look()))  # type: ignore[arg-type]  # settings of every kind


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("run", [FINISHED, RESUMED, DIVERGED, "none-atall"])
@pytest.mark.parametrize("size", [(1, 1), (12, 4), (38, 9), (80, 24), (118, 38)])
def test_no_panel_fails_at_any_size(
    folder: Path, name: str, run: str, size: tuple[int, int]
) -> None:
    known, _ = read(Run(folder / run))
    lines = DRAW[name](known, Choice(), *size, Look())
    if size[0] >= 80:  # a panel cuts what does not fit; here nothing needs to be cut
        assert all(width_of(line) <= size[0] for line in lines)


def test_curves_of_one_task_and_of_several(finished: Known) -> None:
    one = shown("curves", finished, tasks=("score-s0",))
    assert "score-s0" in one
    assert "test accuracy" in one
    assert "train accuracy" in one
    two = shown("curves", finished, tasks=("score-s0", "retrain-s1-random-random-r0.3000"))
    assert "score s0" in two
    assert "s1 random 0.30" in two


def test_axes_of_curves(finished: Known) -> None:
    for axis in ("epoch", "step", "time"):
        assert f" {axis}" in shown("curves", finished, axis=axis).splitlines()[0]
    assert "32" in shown("curves", finished, axis="step", tasks=("score-s0",))  # steps, 8 epochs
    assert "0.15 s" in shown("curves", finished, axis="time", tasks=("score-s0",))


def test_a_small_panel_shows_loss_or_accuracy(finished: Known) -> None:
    assert "accuracy" not in shown("curves", finished, 40, 9)
    assert "test accuracy" in shown("curves", finished, 40, 9, accuracy=True)


def test_extrapolation_calls_the_optimistic_figure_so(finished: Known) -> None:
    text = shown("extrapolation", finished, 110)
    line = next(t for t in text.splitlines() if t.startswith("held-out ("))
    assert "optimistic" in line
    assert "0.848" in line
    assert "[0.73, 0.91]" in line
    assert "truth" in text
    assert "-0.273" in text
    assert "ceiling" in text
    assert "reliability" in text
    assert "▸ k=5 distance" in text
    assert "seed 1" in shown("extrapolation", finished, seed=1)


def test_tradeoff_has_every_method_and_the_break_even(finished: Known) -> None:
    text = shown("tradeoff", finished)
    for method in ("knn", "random", "full", "subset_only"):
        assert method in text
    assert "pruning pays above rate 0.58" in text
    assert "94.81" in text


def test_tradeoff_before_there_is_a_summary(finished: Known) -> None:
    early = Known(finished.run, finished.view)
    found = {(p.method, p.rate): p for p in tradeoff.points(early)}
    final = {(p.method, p.rate): p for p in tradeoff.points(finished)}
    assert found["knn", 0.3].mean == pytest.approx(final["knn", 0.3].mean)
    assert found["knn", 0.3].std == pytest.approx(final["knn", 0.3].std)


def test_cost_adds_up(finished: Known) -> None:
    text = shown("cost", finished)
    assert "3.84 s in all" in text
    assert "12,096/12,096" in text  # counted as planned
    assert "full training 0.23 s (measured)" in text
    assert "-33%" in text


def test_scores_count_scored_and_extrapolated(finished: Known) -> None:
    text = shown("scores", finished, 100)
    assert "scored 252" in text
    assert "extrapolated 1,006" in text
    assert "predicted (unscored)" in text


def test_a_failed_run_says_why(folder: Path) -> None:
    known, log = read(Run(folder / DIVERGED))
    assert "lower optimizer.lr" in plain(stages.draw(known, Choice(), 60, 30, Look()))
    assert "X failed (diverged)" in plain(stages.head(known, 80, Look()))
    said = plain(log.draw(120, 30, Look()))
    assert "the loss is no longer finite" in said


def test_a_resumed_run_has_its_whole_history(folder: Path) -> None:
    known, _ = read(Run(folder / RESUMED))
    assert known.view.sessions == 3
    assert "session 3" in plain(stages.head(known, 80, Look()))
    steps = known.view.curves["score-s0"]["train/loss"].step
    assert list(steps) == sorted(set(steps))


def test_a_damaged_artifact_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    folder = copy_runs(tmp_path)
    (folder / FINISHED / "scores" / "seed-1.parquet").write_bytes(b"not a table")
    known, _ = read(Run(folder / FINISHED))
    assert known.trouble
    assert known.view.status == "finished"


def test_predicted_seconds_stand_beside_the_measured_ones(finished: Known) -> None:
    stages = {s.stage: s for s in finished.view.stages()}
    assert "predicted" not in shown("cost", finished).splitlines()[0]
    tasks = {t.id: 0.5 for s in ("score", "retrain") for t in stages[s].tasks}
    known = replace(finished, predicted=Predicted("seals", "cpu", tasks, 1.5, 0.25))
    lines = shown("cost", known, 110).splitlines()
    assert "predicted" in lines[0]
    row = {line.split()[0]: line for line in lines if line}
    n = len(stages["retrain"].tasks)
    assert f"{0.5 * n:.2f} s" in row["retrain"] and "┃" in row["retrain"]
    assert words.DASH in row["embed"].split() and "┃" not in row["embed"]  # nothing was predicted
    measured = sum(t.cost["seconds"] for s in ("score", "retrain") for t in stages[s].tasks)
    before = 0.5 * len(tasks)
    text = "\n".join(lines)
    assert f"({measured / before - 1:+.0%})" in text
    assert "predicted from earlier runs on this device" in text
    assert "predicted: 1.50 s, 0.25" in text
    for width in (20, 38, 44, 66, 118):
        drawn = cost.draw(known, Choice(), width, 20, Look(ascii=True))
        assert plain(drawn).isascii()
        assert all(width_of(line) <= width for line in drawn) or width < 38


def test_the_trade_off_turns_to_robust_accuracy_where_there_is_one(finished: Known) -> None:
    assert tradeoff.metrics(finished) == ["test_accuracy"]
    assert "robust" not in shown("tradeoff", finished, metric="test_robust_accuracy")
    assert finished.summary is not None
    entries = finished.summary["tradeoff"]
    robust = [
        {**e, "metric": "test_robust_accuracy", "mean": e["mean"] / 2}
        for e in entries if e["metric"] == "test_accuracy"
    ]  # fmt: skip
    known = replace(finished, summary={**finished.summary, "tradeoff": entries + robust})
    plain_one, other = (tradeoff.points(known, name) for name in tradeoff.METRICS)
    assert [p.mean for p in other] == [p.mean / 2 for p in plain_one]
    first = shown("tradeoff", known)
    assert "test accuracy" in first and "robust accuracy" not in first
    turned = shown("tradeoff", known, metric="test_robust_accuracy")
    assert "robust accuracy" in turned and "97.77" in first and "97.77" not in turned


def test_robust_accuracy_is_drawn_beside_the_plain_one(finished: Known) -> None:
    task = "score-s0"
    named = dict(finished.view.curves[task])
    named["test/robust_accuracy"] = named["test/accuracy"]
    view = replace(finished.view, curves={**finished.view.curves, task: named})
    assert "test robust accuracy" in shown("curves", replace(finished, view=view), tasks=(task,))
