"""A run on data with a known truth says which kinds of samples it kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from play import Player, Story
from pydantic import TypeAdapter

from core.artifacts import read_kept
from core.schemas.summary import SummaryDocument
from core.spec import Spec


@pytest.fixture(scope="module")
def story(make_spec: Callable[..., Spec], tmp_path_factory: pytest.TempPathFactory) -> Story:
    threads = torch.get_num_threads()
    data = {
        "name": "procedural",
        "n": 200,
        "size": 8,
        "classes": 3,
        "n_test": 30,
        "duplicates": 0.3,
    }
    spec = make_spec(
        data=data, prune={"rates": [0.6]}, retrain={"epochs": "1ep"}, baselines=["random", "full"]
    )
    found = Player(tmp_path_factory.mktemp("truth")).play(spec)
    torch.set_num_threads(threads)
    return found


def test_kept_kinds_are_those_of_the_kept_ids(story: Story) -> None:
    truth = story.dataset.train.truth
    assert truth is not None
    for method in ("knn", "random"):
        (row,) = story.trials(method)
        kept = read_kept(story.run, row["id"])
        wrong = set(np.flatnonzero(truth["mislabelled"]).tolist())
        assert row["truth"]["mislabelled"] == {
            "n": 8,
            "kept": pytest.approx(len(wrong & set(kept.tolist())) / 8),
        }
        groups = [set(np.flatnonzero(truth["group"] == g).tolist()) for g in range(12)]
        each = [len(group & set(kept.tolist())) for group in groups]
        assert row["truth"]["duplicates"] == {
            "groups": 12,
            "members": 5.0,
            "kept": pytest.approx(np.mean(each)),
        }


def test_full_training_keeps_everything_and_says_nothing(story: Story) -> None:
    assert [row["truth"] for row in story.trials("full")] == [None]


def test_the_summary_fits_its_schema(story: Story) -> None:
    TypeAdapter(SummaryDocument).validate_python(story.summary, strict=True)
