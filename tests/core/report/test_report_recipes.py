"""The recipes of scores in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.report.recipes import recipe, recipe_table
from core.spec import Spec
from core.spec_load import parse_spec
from core.summary import score_rows

FORWARD = "in the training forward itself, augmented, before the step; "
SECOND = "in a second forward of every step, not augmented, in evaluation mode; "


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (
            {"name": "el2n", "preset": "paper", "nets": 3},
            "preset paper; in a pass in evaluation mode at the end of each epoch it reads; the "
            "10th epoch alone; mean over 3 scoring nets",
        ),
        (
            {"name": "dynamic_uncertainty", "preset": "paper"},
            f"preset paper; {SECOND}all epochs; windows of 10 epochs, the very last window left "
            "out; unbiased deviation; one scoring net",
        ),
        (
            {"name": "tdds", "preset": "legacy_se"},
            f"preset legacy_se; {FORWARD}10 epochs, the 10th epoch from the end first; windows of "
            "10 epochs; unbiased deviation; one scoring net; decay 0.9",
        ),
        (
            {"name": "forgetting", "preset": "paper", "epoch": 2},
            f"preset paper; {FORWARD}the 3rd epoch and all that follow; one scoring net; never "
            "learned first",
        ),
    ],
)
def test_a_recipe_is_said_whole(
    plain_spec: Callable[..., dict[str, Any]], score: dict[str, Any], said: str
) -> None:
    plain = plain_spec(train={"epochs": "20ep"})
    assert recipe(score_rows(parse_spec({**plain, "score": score}))[0]) == said


def test_scores_that_watch_no_training() -> None:
    embedded = {"name": "prototypicality", "kind": "embedded", "preset": None, "options": {"k": 5}}
    assert recipe(embedded) == "computed from the embeddings of all samples; k 5"
    given = {"name": "random", "kind": "given", "preset": None}
    assert recipe(given) == "every sample has one without any training"


def test_the_table_has_every_score_and_escapes_names(make_spec: Callable[..., Spec]) -> None:
    rows = score_rows(make_spec(score={"also": ["loss"]}))
    rows[1]["name"] = "<b>"
    shown = str(recipe_table(list(rows)))
    assert "el2n" in shown and "&lt;b&gt;" in shown and "high values" in shown
    assert "the last epoch alone" in shown and "2 epochs, the 1st epoch first" in shown
    assert recipe_table([]) is None
