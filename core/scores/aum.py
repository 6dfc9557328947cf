"""AUM (2001.10528): mean over epochs of the own label's margin over the best other class.

A(i) = mean over epochs t of z_y(t) - max over c != y of z_c(t). Low means hard, ambiguous or
mislabelled, and low is kept; policies use it to cut off samples that are likely mislabelled.

- ``paper``: margins of the logits in the training forward, all epochs.
- ``ccs`` (code of 2210.15809): margins of the softmax probabilities. That code sums over epochs,
  which ranks like the mean. Logits and probabilities rank differently.
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
FORMULA = "mean over t of z_y(t) - max_{c != y} z_c(t)"
READS = "logits and labels of every epoch that is read"
WHEN = "finding mislabelled samples; the cut-off of the policy coverage"

PRESETS = {
    "paper": {"record": "train_forward", "margin": "logits", "epoch": 0, "span": 0},
    "ccs": {"record": "train_forward", "margin": "probabilities", "epoch": 0, "span": 0},
}


@dataclass(frozen=True)
class Params:
    """Which margin, and which epochs are read."""

    margin: Literal["logits", "probabilities"] = "logits"
    """What the margin is taken of."""
    epoch: int = 0
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 0
    """Number of epochs that are averaged; 0: all from the first on."""


class Aum(SummedScore):
    """4 bytes a sample."""

    direction = DIRECTION

    def __init__(self, m: int, epochs: range, margin: str, device: torch.device) -> None:
        super().__init__(m, epochs, device)
        self._logits = margin == "logits"

    def value(self, batch: Batch) -> Tensor:
        """Margins, float32 ``[B]``; with a single class there is no other and they are 0."""
        outputs = batch.logits.float() if self._logits else batch.probs
        own = outputs.gather(1, batch.targets.unsqueeze(1)).squeeze(1)
        if outputs.shape[1] == 1:
            return torch.zeros_like(own)
        others = outputs.scatter(1, batch.targets.unsqueeze(1), -torch.inf)
        return own - others.amax(1)


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Aum:
    """The score of ``m`` samples. Epochs beyond the run: UserError."""
    params = Params(**spec.params)
    return Aum(m, span_of("aum", params, epochs), params.margin, device)
