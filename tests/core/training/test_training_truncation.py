"""Which epoch a score ends with when validation chooses."""

from __future__ import annotations

import math

import pytest
import torch

from core.errors import UserError
from core.scores import dynamic_uncertainty
from core.scores.base import Batch, TrainedScore
from core.spec import ScoreSpec
from core.training.truncation import Truncation

CPU = torch.device("cpu")
WINDOW = {"length": 2, "ddof": 0, "drop_last": True}
SECTION = ScoreSpec.model_validate({"name": "dynamic_uncertainty", "window": WINDOW})
PROBABILITIES = (0.1, 0.5, 0.9, 0.3, 0.3)
"""Of the own label of a single sample, epoch by epoch; two classes."""


def _score(epochs: int) -> TrainedScore:
    return dynamic_uncertainty.make(1, 2, epochs, SECTION, CPU)


def _watched(accuracies: list[float], restart: int | None = None) -> Truncation:
    score, until = _score(5), Truncation(_score)
    for epoch, (p, accuracy) in enumerate(zip(PROBABILITIES, accuracies, strict=True)):
        logits = torch.tensor([[math.log(p), math.log(1 - p)]])
        score.observe(epoch, Batch(torch.tensor([0]), logits, torch.tensor([0])))
        until.consider(epoch, accuracy, score)
        score.end_epoch(epoch)
        if epoch == restart:
            state, until = until.state_dict(), Truncation(_score)
            until.load_state_dict(state)
    return until


@pytest.mark.parametrize(
    ("accuracies", "epoch", "value"),
    [
        # windows of two: |0.5-0.1|/2 = 0.2, 0.2, 0.3, 0; the last one is left out
        ([0.0, 0.0, 0.5, 0.4, 0.1], 2, 0.2),
        ([0.0, 0.0, 0.4, 0.5, 0.1], 3, (0.2 + 0.2) / 2),
        ([0.0, 0.0, 0.1, 0.2, 0.3], 4, (0.2 + 0.2 + 0.3) / 3),
        ([0.9, 0.8, 0.5, 0.5, 0.5], 2, 0.2),  # two epochs are no window; the first of equals
        ([math.nan, 0.1, math.nan, 0.2, 0.1], 3, 0.2),
    ],
)
def test_the_best_epoch_ends_the_score(accuracies: list[float], epoch: int, value: float) -> None:
    for restart in (None, 2, 3):
        until = _watched(accuracies, restart)
        assert until.epoch == epoch and until.best == accuracies[epoch]
        assert until.finalize().tolist() == pytest.approx([value], abs=1e-6)


def test_a_training_too_short_for_the_score_is_told() -> None:
    with pytest.raises(UserError, match="late enough") as error:
        Truncation(_score).finalize()
    assert "score.until: end" in str(error.value)
