"""Numbers in words: what is undefined stays undefined, what is not shown is said."""

from __future__ import annotations

from typing import Any

import pytest

from prunectl import words


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (None, "-"),
        ({"mean": 0.012, "ci_low": -0.004, "ci_high": 0.028},
         "+1.20 [-0.40, +2.80] not distinguishable"),
        ({"mean": 0.0, "ci_low": 0.0, "ci_high": 0.0}, "+0.00 [+0.00, +0.00] not distinguishable"),
        ({"mean": 0.03, "ci_low": 0.01, "ci_high": 0.05}, "+3.00 [+1.00, +5.00] better"),
        ({"mean": -0.03, "ci_low": -0.05, "ci_high": -0.01}, "-3.00 [-5.00, -1.00] worse"),
        ({"mean": 0.03, "ci_low": None, "ci_high": None}, "+3.00 (no interval)"),
    ],
)  # fmt: skip
def test_difference_to_random(entry: dict[str, Any] | None, text: str) -> None:
    assert words.versus_random(entry) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.337, "pruning pays above rate 0.34"),
        (0.0, "pruning pays at every rate"),
        (-0.2, "pruning pays at every rate"),
        (1.0, "never pays"),
        (7.1, "never pays"),
        (None, "is not known"),
    ],
)
def test_break_even_is_a_sentence(rate: float | None, text: str) -> None:
    assert text in words.pays(rate)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.421, "0.42 s"), (9.99, "9.99 s"), (12.34, "12.3 s"), (99.96, "1:40"),
     (185, "3:05"), (7451, "2:04:11")],
)  # fmt: skip
def test_clock(seconds: float | None, text: str) -> None:
    assert words.clock(seconds) == text


def test_rough_times_and_sizes() -> None:
    assert [words.about(s) for s in (3, 44, 600, 7200, 400_000)] == [
        "under 10 s", "about 40 s", "about 10 min", "about 2.0 h", "about 4.6 days",
    ]  # fmt: skip
    assert words.ago(30) == "just now"
    assert words.ago(7200) == "2 h ago"
    assert words.size(None) == "-"
    assert words.size(2.5e9) == "2.5 GB"
    assert words.elapsed(-1) == "0 s"


def test_undefined_is_a_dash_not_zero() -> None:
    assert words.percent(None) == words.number(None) == words.count(None) == words.DASH
    assert words.percent(0.0) == "0.00"


def test_options_name_numbers_and_not_words() -> None:
    assert words.params({"k": 20, "weights": "distance"}) == "k=20 distance"
    assert words.params({}) == "-"


def test_how_often_intervals_held() -> None:
    rows = [{"coverage80": 0.9}, {"coverage80": 0.94}, {"coverage80": None}]
    assert words.covered(rows).endswith("held 92% of the held-out scores: too wide")
    assert words.covered([{"coverage80": 0.79}]).endswith("as they should")
    assert words.covered([{"coverage80": 0.5}]).endswith("too narrow")
    assert words.covered([{"coverage80": None}, {}]) == ""
