"""Scores that end with the epoch of best validation accuracy: the same training ended there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from play import Player, Story

from core import events as ev
from core import words
from core.errors import UserError
from core.facts import DataFacts
from core.plan.build import build_graph
from core.spec import Spec
from core.spec_load import parse_spec
from core.stages.score import ended_by

Plain = Callable[..., dict[str, Any]]
EPOCHS, HELD = 12, 100
OVER: dict[str, Any] = {
    "data": {"name": "digits", "validation": HELD},
    "score": {
        "name": "dynamic_uncertainty", "preset": "nieth",
        "window": {"length": 2, "ddof": 1, "drop_last": True},
        "also": [{"name": "frequency", "preset": "training"}, {"name": "el2n", "epoch": 0}],
    },
    "baselines": ["direct", "random"], "prune": {"rates": [0.8]}, "retrain": {"epochs": "1ep"},
}  # fmt: skip


def _spec(plain: Plain, epochs: int, until: str) -> Spec:
    train = {
        "epochs": f"{epochs}ep", "optimizer": {"name": "sgd", "lr": 0.5},
        "schedule": {"name": "constant"},
    }  # fmt: skip
    raw = plain(**{k: v for k, v in OVER.items() if k != "score"}, train=train)
    return parse_spec({**raw, "score": {**OVER["score"], "until": until}})


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, plain_spec: Plain
) -> Iterator[tuple[Story, Story, int]]:
    """A run that validation ends, one that was trained no longer than that, and the epoch."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    root: Path = tmp_path_factory.mktemp("until")
    whole = Player(root / "whole").play(_spec(plain_spec, EPOCHS, "best_validation"))
    (end,) = whole.agreement(0, "dynamic_uncertainty")["until"]
    short = Player(root / "short").play(_spec(plain_spec, end["epoch"], "end"))
    yield whole, short, end["epoch"]
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def test_the_epoch_is_the_first_of_the_best(pair: tuple[Story, Story, int]) -> None:
    whole, _, epoch = pair
    told = [e for e in whole.events if isinstance(e, ev.Points) and e.task == "score-s0"]
    values = [v for e in told if e.series == "validation/accuracy" for v in e.value]
    assert len(values) == EPOCHS
    (end,) = whole.agreement(0, "dynamic_uncertainty")["until"]
    assert 3 <= epoch < EPOCHS, "the settings make no epoch before the last the best"
    # three epochs are the fewest of two windows of which the last is left out
    assert epoch - 3 == int(np.argmax(values[2:]))
    assert end == {"epoch": epoch, "of": EPOCHS, "accuracy": values[epoch - 1], "by": "accuracy"}
    said = words.ended(whole.summary["extrapolation"])
    assert f"dynamic_uncertainty, seed 0, ends with epoch {epoch} of 12: best accuracy on" in said


def test_scores_are_those_of_the_training_ended_there(pair: tuple[Story, Story, int]) -> None:
    whole, short, _ = pair
    ids = np.flatnonzero(whole.table(0)["source"] == "scored")
    for name in ("dynamic_uncertainty", "frequency"):
        np.testing.assert_array_equal(whole.table(0)[name][ids], short.table(0)[name][ids])
    raw = [np.load(next(s.store.root.glob("direct-*")) / "raw.npy") for s in (whole, short)]
    np.testing.assert_array_equal(raw[0][:, :2], raw[1][:, :2])
    assert short.agreement(0, "frequency")["until"] is None


def test_the_whole_run_and_the_choice_are_charged(pair: tuple[Story, Story, int]) -> None:
    whole, short, epoch = pair
    rows = {r["task"]: r for r in whole.summary["cost"]["stages"]}
    task = whole.graph["score-s0"]
    m = whole.summary["subset"]["n"]
    # a training pass and the eval pass of nieth every epoch, and the validation samples
    assert task.passes == EPOCHS * (2 * m + HELD)
    assert rows["score-s0"]["sample_passes"] == task.passes
    assert rows["direct-s0"]["sample_passes"] == whole.graph["direct-s0"].passes
    assert short.graph["score-s0"].passes == epoch * 2 * m
    (drawn,) = whole.trials("random")  # retrainings choose nothing
    assert drawn["sample_passes"] == drawn["n_kept"]


def test_a_score_that_finds_the_net_trained_pays_for_its_own_run(
    tmp_path: Path, plain_spec: Plain
) -> None:
    player = Player(tmp_path / "runs")
    charged, planned = [], []
    for until in ("end", "best_validation", "end"):
        story = player.play(_spec(plain_spec, 4, until))
        (row,) = [r for r in story.summary["cost"]["stages"] if r["task"] == "score-s0"]
        (told,) = [
            e for e in story.events if isinstance(e, ev.TaskFinished) and e.task == "score-s0"
        ]
        charged += [row["sample_passes"], told.cost["sample_passes"]]
        planned += [story.graph["score-s0"].passes] * 2
    assert charged == planned and planned[0] < planned[2] > planned[4]


def test_what_decides_where_scores_end_is_in_their_key(pair: tuple[Story, Story, int]) -> None:
    held_out = pair[0].dataset.validation
    assert held_out is not None
    best, matched = [{"until": "best_validation"}], [{"until": "matched"}]
    found = ended_by(held_out, best)
    turned = replace(held_out, targets=held_out.targets[::-1].copy())
    assert found == ended_by(held_out, [{}, *best]) != ended_by(turned, best)
    assert found.keys() == {"validation"} and ended_by(held_out, matched).keys() == {"matched"}
    assert ended_by(held_out, [{"until": "matched", "span": 3}]) == ended_by(None, best) == {}


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({}, "score.until: best_validation needs samples that are not trained on"),
        (
            {"data": {"validation": 50}, "score": {"also": ["entropy"]}},
            "score.until: entropy reads epochs counted from the last one",
        ),
        (
            {"data": {"validation": 50}, "score": {"name": "random"}},
            "score.until: random watches no training; leave it end",
        ),
        ({"score": {"until": "best"}}, "score.until: input should be 'end', 'best_validation'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(plain_spec: Plain, over: Any, said: str) -> None:
    raw = plain_spec(**{k: v for k, v in over.items() if k != "score"})
    score = {"name": "dynamic_uncertainty", "preset": "legacy_se", "until": "best_validation"}
    raw["score"] = {**score, **over.get("score", {})}
    raw["train"]["epochs"] = "15ep"
    if raw["score"]["name"] == "random":
        raw["score"].pop("preset")
        raw.pop("extrapolate")
    with pytest.raises(UserError) as error:
        parse_spec(raw)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_an_end_that_is_written_out_changes_no_task(
    plain_spec: Plain,
) -> None:
    facts = DataFacts(1258, 539, 10)
    named = build_graph([(_spec(plain_spec, EPOCHS, "end"), facts)])
    assert all("until" not in section for section in named["score-s0"].scores)
    best = build_graph([(_spec(plain_spec, EPOCHS, "best_validation"), facts)])
    assert all(section["until"] == "best_validation" for section in best["score-s0"].scores)
