"""Mean probability of the own label over epochs (2009.10795, confidence): low means hard.

M(i) = mean over epochs t of p_t(i), p_t the softmax probability of sample i's label. Low is kept.
The policy beta (2502.06905) reads it beside the score it prunes by.

- ``all``: the training forward, all epochs.
- ``dual_cifar``, ``dual_imagenet`` (code of 2502.06905): its first 30 and 60 epochs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.scores._span import span_of
from core.scores._sums import SummedScore
from core.scores.base import Batch, ScoreOptions

DIRECTION: Literal["high", "low"] = "low"
FORMULA = "mean over t of p_t, the probability of the own label"
READS = "probabilities and labels of every epoch that is read"
WHEN = "the companion of the policy beta; a map of easy and hard samples"

PRESETS = {
    "all": {"record": "train_forward", "epoch": 0, "span": 0},
    "dual_cifar": {"record": "train_forward", "epoch": 0, "span": 30},
    "dual_imagenet": {"record": "train_forward", "epoch": 0, "span": 60},
}


@dataclass(frozen=True)
class Params:
    """Which epochs are read."""

    epoch: int = 0
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 0
    """Number of epochs that are averaged; 0: all from the first on."""


class MeanProbability(SummedScore):
    """4 bytes a sample."""

    direction = DIRECTION

    def value(self, batch: Batch) -> Tensor:
        """Probabilities of the own labels, float32 ``[B]``."""
        return batch.true_probs


def make(
    m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device
) -> MeanProbability:
    """The score of ``m`` samples. Epochs beyond the run: UserError."""
    params = Params(**spec.params)
    return MeanProbability(m, span_of("mean_probability", params, epochs), device)
