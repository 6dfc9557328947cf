"""Comparisons of hand-written runs, with intervals worked out by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from samples import COSTS, KNN, MACHINE, RANDOM, USUAL, make, spec, summary

from core.comparison.build import build
from core.comparison.entries import entry, short_labels
from core.comparison.pareto import front
from core.errors import UserError


def rows_of(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (" ".join(r["runs"]), r["method"]): r for group in found["groups"] for r in group["rows"]
    }


def test_a_paired_difference_by_hand() -> None:
    row = rows_of(build([make()]))["aaaa", "knn"]
    # differences .02 .01 .06: mean .03, variance (.01^2 + .02^2 + .03^2) / 2; t(.975, 2) = 4.302653
    half = 4.302653 * math.sqrt(0.0007) / math.sqrt(3)
    versus = row["versus"]
    assert (versus["mean"], versus["n"]) == (pytest.approx(0.03), 3)
    assert versus["ci_low"] == pytest.approx(0.03 - half, abs=1e-7)
    assert versus["ci_high"] == pytest.approx(0.03 + half, abs=1e-7)
    assert versus["distinguishable"] is False
    assert versus["words"].startswith("not distinguishable from random (+3.00 points")
    assert (row["mean"], row["n"]) == (pytest.approx(0.93), 3)
    assert row["std"] == pytest.approx(math.sqrt((0.03**2 + 0.01**2 + 0.04**2) / 2))


def test_the_baseline_itself_is_not_compared_and_needs_no_excuse() -> None:
    row = rows_of(build([make()]))["aaaa", "random"]
    assert row["versus"] is None
    assert row["not_paired"] is None


def test_two_seeds_have_no_interval_and_that_is_said() -> None:
    values = {KNN: {0: 0.9, 1: 0.92}, RANDOM: {0: 0.88, 1: 0.91}}
    found = build([make(values=values)])
    versus = rows_of(found)["aaaa", "knn"]["versus"]
    assert versus["mean"] == pytest.approx(0.015)
    assert versus["ci_low"] is None and versus["distinguishable"] is None
    assert any("below 3 paired seeds there is no interval" in note for note in found["notes"])
    assert found["groups"][0]["verdicts"] == ["aaaa knn (top_k): no interval against random at 0.5"]


def test_only_shared_seeds_are_paired_and_the_others_named() -> None:
    values = {KNN: {0: 0.9, 1: 0.92, 2: 0.97, 7: 0.1}, RANDOM: {**USUAL[RANDOM], 9: 0.2}}
    found = build([make(values=values)])
    versus = rows_of(found)["aaaa", "knn"]["versus"]
    assert (versus["mean"], versus["n"]) == (pytest.approx(0.03), 3)
    assert versus["unpaired_seeds"] == [7, 9]
    assert "not paired: knn: seeds without a partner are left out: 7, 9" in found["notes"]


def test_only_the_settings_that_differ() -> None:
    other = make("bbbb-two", name="two", extrapolate={"name": "knn", "k": 9, "weights": "mean"})
    found = build([make(), other])
    assert found["settings"] == [
        {"key": "extrapolate.k", "values": [5, 9]},
        {"key": "extrapolate.weights", "values": ["(not set)", "mean"]},
    ]
    assert build([make(), make("cccc-one")])["settings"] == []


def test_retrainings_that_runs_share_appear_once() -> None:
    other = make("bbbb-two", values={**USUAL, KNN: {0: 0.8, 1: 0.8, 2: 0.9}}, extrapolate={"k": 9})
    assert set(rows_of(build([make(), other]))) == {
        ("aaaa", "knn"), ("aaaa bbbb", "random"), ("bbbb", "knn"),
    }  # fmt: skip
    dearer = make("bbbb-two", costs={**COSTS, RANDOM: (6.0, 100.0)})
    assert ("aaaa", "random") in rows_of(build([make(), dearer]))


def test_a_run_as_baseline_is_its_own_method() -> None:
    other = make("bbbb-two", values={KNN: {0: 0.91, 1: 0.93, 2: 0.96}}, costs={KNN: (7.0, 140.0)})
    for name in ("aaaa-one", "aaaa", "aaa"):
        found = build([make(), other], name)
        assert found["baseline"] == {"method": "knn", "run": "aaaa"}
        rows = rows_of(found)
        versus = rows["bbbb", "knn"]["versus"]
        assert versus["run"] == "aaaa"
        assert versus["mean"] == pytest.approx((0.01 + 0.01 - 0.01) / 3)
        assert rows["aaaa", "random"]["versus"]["mean"] == pytest.approx(-0.03)
        assert rows["aaaa", "knn"]["versus"] is None
        assert "aaaa (knn)" in versus["words"]


def test_a_baseline_is_lent_by_a_run_with_the_same_recipe_only() -> None:
    bare = make("bbbb-two", values={KNN: USUAL[KNN]}, costs={KNN: (9.0, 170.0)})
    found = build([make(), bare])
    assert rows_of(found)["bbbb", "knn"]["versus"]["run"] == "aaaa"
    assert any(note.startswith("bbbb has no random at some rate") for note in found["notes"])
    other = make("bbbb-two", values={KNN: USUAL[KNN]}, retrain={"epochs": "9ep"})
    found = build([make(), other])
    row = rows_of(found)["bbbb", "knn"]
    assert row["versus"] is None
    assert row["not_paired"] == "no random at rate 0.5 with this data and recipe"


def test_full_stands_for_every_rate() -> None:
    values = {**USUAL, ("full", None, 0.0): {0: 0.95, 1: 0.95, 2: 0.98}}
    versus = rows_of(build([make(values=values)], "full"))["aaaa", "knn"]["versus"]
    assert (versus["rate"], versus["mean"]) == (0.0, pytest.approx((-0.05 - 0.03 - 0.01) / 3))


@pytest.mark.parametrize(
    "different",
    [{"fingerprint": "0" * 64}, {"data": {"name": "digits", "label_noise": 0.2, "seed": 0}}],
)
def test_figures_of_other_data_are_never_compared(different: dict[str, Any]) -> None:
    other = make("bbbb-two", values={KNN: USUAL[KNN]}, **different)
    found = build([make(), other], "aaaa")
    assert [group["runs"] for group in found["groups"]] == [["aaaa"], ["bbbb"]]
    assert rows_of(found)["bbbb", "knn"]["not_paired"] == "other data than aaaa"
    assert rows_of(found)["bbbb", "knn"]["front_seconds"] is True  # alone on its front
    assert "2 different data sets or data options" in found["notes"][0]


def test_a_moved_folder_is_the_same_data() -> None:
    moved = make("bbbb-two", data={"name": "digits", "root": "/elsewhere", "seed": 0})
    assert len(build([make(), moved])["groups"]) == 1


def test_seconds_of_different_machines_have_no_front() -> None:
    found = build([make(), make("bbbb-two", machine={**MACHINE, "device": "cuda:0"})])
    rows = rows_of(found).values()
    assert {row["front_seconds"] for row in rows} == {None}
    assert {row["front_passes"] for row in rows} == {True}
    assert any("are not compared; sample passes are" in note for note in found["notes"])
    assert {"key": "device", "values": ["cpu", "cuda:0"]} in found["settings"]


def test_an_unknown_baseline_names_the_nearest() -> None:
    with pytest.raises(UserError, match="'randum'") as caught:
        build([make()], "randum")
    assert caught.value.todo == "did you mean 'random'?"


def test_unfinished_runs_are_flagged() -> None:
    values = {KNN: {0: 0.9}, RANDOM: {0: 0.88}}
    notes = build([make(values=values, status="stopped")])["notes"]
    assert "aaaa is stopped: it has results of 1 of 3 seeds" in notes


def test_undefined_figures_are_left_out_not_zero() -> None:
    plain = summary("aaaa-one", {**USUAL, KNN: {0: 0.9, 1: math.nan, 2: 0.97}}, COSTS)
    for trial in plain["trials"]:
        if math.isnan(trial["metrics"]["test_accuracy"]):
            trial["metrics"]["test_accuracy"] = None
    found = build([entry(plain, spec(), MACHINE, "aaaa", "finished")])
    assert rows_of(found)["aaaa", "knn"]["n"] == 2


def test_passes_of_a_summary_that_does_not_tell_them() -> None:
    plain = summary("aaaa-one", {**USUAL, ("full", None, 0.0): {0: 0.95}}, COSTS)
    for row in plain["cost"]["by_rate"]:
        del row["loop_passes"]
    found = build([entry(plain, spec(), MACHINE, "aaaa", "finished")])
    assert rows_of(found)["aaaa", "knn"]["loop_passes"] == pytest.approx(160)


def test_labels() -> None:
    assert short_labels(["abcd-x", "efgh-x"]) == ["abcd", "efgh"]
    assert short_labels(["abcd-x", "abcd-y"]) == ["abcd-x", "abcd-y"]


def test_the_front_against_its_definition() -> None:
    rng = random.Random(0)
    for _ in range(200):
        points = [(rng.randrange(5) / 1, rng.randrange(5) / 1) for _ in range(rng.randrange(9))]
        slow = [
            not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
            for cost, value in points
        ]
        assert front(points) == slow


def test_the_front_by_hand() -> None:
    # (5, .90) is cheapest; (8, .93) dearer and better; (9, .92) dearer than that and worse
    assert front([(8.0, 0.93), (5.0, 0.90), (9.0, 0.92)]) == [True, True, False]
