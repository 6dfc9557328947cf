"""The final tables, from a summary written by hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType
from run_samples import summary

from core.predicted import Predicted, write_predicted
from core.runs import Run
from prunectl.cli import output, results


def text(*renderables: RenderableType | None, width: int = 80) -> str:
    """What a terminal of this width shows."""
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for renderable in renderables:
        if renderable is not None:
            console.print(renderable)
    return console.export_text()


def _line(shown: str, *words: str) -> str:
    return next(line for line in shown.splitlines() if all(w in line for w in words))


def test_everything_fits_80_columns() -> None:
    whole = summary()
    whole["tradeoff"][0]["method"] = "full_scores"  # the longest name there is
    wide = text(*results.everything(whole, Path("/runs/abcd-small")), width=200)
    assert max(len(line.rstrip()) for line in wide.splitlines()) <= 80


def test_accuracy_stands_beside_the_difference_to_random() -> None:
    shown = text(results.accuracy(summary()))
    assert "+1.00 [-2.00, +4.00] not distinguishable" in _line(shown, "knn", "0.50", "95.00")
    assert "+3.00 [+1.00, +5.00] better" in _line(shown, "0.80", "90.00", "1.00", "3")
    assert _line(shown, "full", "0.00").split()[-1] == "-"


def test_below_three_seeds_it_says_why_there_is_no_interval() -> None:
    few = summary()
    for row in few["tradeoff"]:
        row["n"] = 2
        if row["vs_random"]:
            row["vs_random"].update(ci_low=None, ci_high=None)
    shown = text(results.accuracy(few))
    assert "+1.00 (no interval)" in shown
    assert "n = 2: no interval below 3 seeds" in shown


def test_what_was_predicted_stands_beside_what_it_cost(tmp_path: Path) -> None:
    whole = summary()
    rows = whole["cost"]["stages"]
    assert "predicted" not in text(results.stages(whole))
    tasks = {row["task"]: 2.0 for row in rows if row["stage"] == "retrain"}
    write_predicted(Run(tmp_path), Predicted("seals", "cpu", tasks))
    shown = text(*results.everything(whole, tmp_path))
    assert f"{2.0 * len(tasks):.2f}" in _line(shown, "retrain", str(len(tasks)))
    row = next(line for line in shown.splitlines() if line.startswith("score "))
    assert row.split()[4] == "-"  # nothing was predicted of it
    assert f"of {len(tasks)}" in _line(shown, "all ", f"{2.0 * len(tasks):.2f}")
    assert "from earlier runs on this device" in shown


def test_heldout_is_called_optimistic_and_the_truth_stands_beside_it() -> None:
    shown = text(results.correlation(summary()))
    row = _line(shown, "k=20")
    for number in ("0.610 [0.50, 0.70] n=50", "0.410", "0.550", "0.660"):
        assert number in row
    assert "optimistic: agreement with the subset's own scores" in shown
    assert "predicted by knn, mean\n" in shown  # what all seeds chose is said once
    assert "mean" not in row


def test_one_seed_has_nothing_to_compare_its_choice_with() -> None:
    one = summary()
    del one["extrapolation"][1]
    shown = text(results.correlation(one))
    assert "predicted by knn, k=20 mean" in shown
    assert "chosen" not in shown


def test_without_a_reference_it_says_that_the_truth_is_not_known() -> None:
    plain = summary()
    for row in plain["extrapolation"]:
        row["reference"] = None
        row["heldout"].update(ci_low=None, ci_high=None, n=12)
    shown = text(results.correlation(plain))
    assert "0.610 (no interval) n=12" in shown
    assert "ceiling" not in shown
    assert "reference: full can tell the truth" in shown
    assert results.kept_recall(plain) is None


def test_the_cross_fitted_figure_stands_first_and_is_called_the_better_one() -> None:
    crossed = summary()
    for row in crossed["extrapolation"]:
        row["crossfit"] = {**row["heldout"], "spearman": 0.47, "ci_low": 0.36, "ci_high": 0.56}
    shown = text(results.correlation(crossed), width=120)
    row = _line(shown, "k=20")
    assert row.index("0.470 [0.36, 0.56] n=50") < row.index("0.610 [0.50, 0.70] n=50")
    assert "cross-fitted is preferred: by nets that never saw" in shown
    assert "cross-fitted" not in text(results.correlation(summary()))


def test_an_undefined_correlation_is_not_zero() -> None:
    plain = summary()
    plain["extrapolation"][0]["heldout"]["spearman"] = None
    assert "undefined, n=50" in text(results.correlation(plain))


def test_kept_recall_is_a_mean_over_seeds_beside_chance() -> None:
    shown = text(results.kept_recall(summary()))
    assert _line(shown, "kept", "65.0")
    assert _line(shown, "by chance", "50.0")


def test_the_ledger_adds_up_by_stage() -> None:
    shown = text(results.stages(summary()))
    assert _line(shown, "score").split() == ["score", "2", "0", "22.00", "6,000"]
    assert _line(shown, "retrain").split() == ["retrain", "1", "1", "30.00", "9,000"]
    assert _line(shown, "all", "52").split() == ["all", "3", "1", "52.00", "15,000"]


def test_savings_by_rate_in_time_and_passes() -> None:
    shown = text(results.saving(summary()))
    assert _line(shown, "knn, time").split()[-2:] == ["25.0", "-10.0"]
    assert _line(shown, "knn, passes").split()[-2:] == ["30.0", "60.0"]
    assert _line(shown, "random, time").split()[-2:] == ["50.0", "-"]
    assert "full, time" not in shown


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "pruning pays above rate 0.34 (full training: 90.0 s, measured)"),
        ({"break_even_rate": 6.0}, "never pays"),
        ({"break_even_rate": None, "full_training_seconds": None}, "not known"),
        ({"full_measured": False}, "(full training: 90.0 s, estimated)"),
    ],
)
def test_the_verdict_is_a_sentence(change: dict[str, Any], says: str) -> None:
    plain = summary()
    plain["cost"].update(change)
    assert says in text(results.verdict(plain), width=200)


def test_artifacts_that_exist_are_named(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.npy").touch()
    (tmp_path / "models").mkdir()
    shown = text(results.artifacts(summary(), tmp_path), width=300)
    assert str(tmp_path / "kept") in shown
    assert str(tmp_path / "scores") in shown
    assert str(tmp_path / "models") not in shown


def test_a_long_path_stays_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    deep = tmp_path / ("a-folder-[with]-a-long-name-" * 5)
    output.show(results.artifacts(summary(), deep))
    assert str(deep / "summary.json") in capsys.readouterr().out


def test_a_summary_of_a_run_that_has_just_begun() -> None:
    young = summary(status="running")
    young.update(extrapolation=[], tradeoff=[])
    young["cost"] = {"stages": [], "by_rate": [], "full_training_seconds": None,
                     "full_measured": False, "break_even_rate": None}  # fmt: skip
    assert "not known" in text(*results.everything(young, Path("/runs/x")))


def test_showing_changes_nothing() -> None:
    before = summary()
    after = copy.deepcopy(before)
    results.everything(after, Path("/runs/x"))
    assert after == before


def _truth(wrong: float, group: float) -> dict[str, Any]:
    return {
        "mislabelled": {"n": 50, "kept": wrong},
        "ambiguous": {"n": 120, "kept": 0.8},
        "rare": {"n": 0, "kept": None},
        "duplicates": {"groups": 20, "members": 5.0, "kept": group},
        "difficulty": {"all": 0.3, "kept": 0.4},
    }


def test_kinds_of_kept_samples_are_told_in_numbers_and_words() -> None:
    known = summary()
    known["data"]["n_train"] = 1250
    known["trials"] = [
        {"method": "knn", "rate": 0.5, "truth": _truth(0.6, 2.0)},
        {"method": "knn", "rate": 0.5, "truth": _truth(0.7, 3.0)},
        {"method": "random", "rate": 0.5, "truth": _truth(0.5, 2.6)},
        {"method": "full", "rate": 0.0, "truth": None},
    ]
    shown = text(results.truth(known))
    assert _line(shown, "knn", "0.50").split() == ["knn", "0.50", "65.0", "80.0", "-", "2.5"]
    assert _line(shown, "random").split() == ["random", "0.50", "50.0", "80.0", "-", "2.6"]
    assert "knn at rate 0.50: of the 4.0% mislabelled samples, 65.0% were kept;" in shown
    assert "of the 20 groups of near-duplicates, 2.5 of 5.0 members on average" in shown
    assert "full" not in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


def test_data_without_a_known_truth_have_no_such_table() -> None:
    assert results.truth(summary()) is None
    old = summary()
    old["trials"] = [{"method": "knn", "rate": 0.5}]
    assert results.truth(old) is None
