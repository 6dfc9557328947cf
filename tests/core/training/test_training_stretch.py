"""Which epochs of a run on a subset stand for a run on everything, and scores made of them."""

from __future__ import annotations

import math

import pytest
import torch

from core.scores import dynamic_uncertainty
from core.scores.base import Batch, TrainedScore
from core.span import epochs_read, matched
from core.spec import ScoreSpec
from core.training.stretch import Stretch

CPU = torch.device("cpu")
SECTION = ScoreSpec.model_validate(
    {"name": "dynamic_uncertainty", "window": {"length": 2, "ddof": 0}}
)
PROBABILITIES = (0.1, 0.5, 0.9, 0.3, 0.3, 0.8)


@pytest.mark.parametrize(
    ("epochs", "count", "total", "read"),
    [
        (30, 4000, 4000, range(30)),
        (30, 800, 4000, range(2, 21)),  # (5 - 1) / 2 = 2; 30 (1 - 0.45 * 0.8) = 19.2
        (30, 400, 4000, range(5, 23)),  # 4.5 rounded up; 30 (1 - 0.45 * 0.9) = 17.85
        (30, 1600, 4000, range(1, 23)),  # 0.75 rounded up; 30 (1 - 0.45 * 0.6) = 21.9
        (30, 40, 4000, range(13, 30)),  # 49.5 would leave too few: the last 30 (1 - 0.4455)
        (4, 252, 1258, range(1, 4)),  # 2.56, so three epochs, the last ones
        (1, 10, 1000, range(1)),
    ],
)
def test_epochs_with_a_counterpart(epochs: int, count: int, total: int, read: range) -> None:
    assert matched(epochs, count, total) == read


@pytest.mark.parametrize(
    ("section", "read"),
    [
        ({"until": "matched"}, range(2, 21)),
        ({"until": "matched", "epoch": 0, "span": 0}, range(2, 21)),
        ({"until": "matched", "epoch": 10, "span": 3}, range(10, 13)),  # says its epochs itself
        ({"epoch": 0, "span": 0}, range(30)),
    ],
)
def test_a_score_that_names_its_epochs_keeps_them(section: dict[str, object], read: range) -> None:
    assert epochs_read(section, 30, (800, 4000)) == read


def _score(epochs: int) -> TrainedScore:
    return dynamic_uncertainty.make(1, 2, epochs, SECTION, CPU)


@pytest.mark.parametrize("restart", [None, 0, 2, 4])
def test_it_is_the_score_of_these_epochs_alone(restart: int | None) -> None:
    score = Stretch(_score(3), range(1, 4))
    for epoch, p in enumerate(PROBABILITIES):
        logits = torch.tensor([[math.log(p), math.log(1 - p)]])
        score.observe(epoch, Batch(torch.tensor([0]), logits, torch.tensor([0])))
        score.end_epoch(epoch)
        if epoch == restart:
            state, score = score.state_dict(), Stretch(_score(3), range(1, 4))
            score.load_state_dict(state)
    # windows of two of 0.5, 0.9, 0.3: |0.9-0.5|/2 and |0.3-0.9|/2
    assert score.finalize().tolist() == pytest.approx([(0.2 + 0.3) / 2], abs=1e-6)
    assert score.reads == (1, 2, 3) and score.direction == "high"
