"""Loss of the final net: cross entropy of the own label, the simplest difficulty there is.

L(i) = - log p_y, p the softmax of the final net. High is kept. (A baseline in 2210.15809.)

- ``final``: one evaluation pass after the last epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core.scores._span import span_of
from core.scores._sums import SummedScore
from core.scores.base import Batch, ScoreOptions

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "- log p_y, p the softmax of the final net"
READS = "logits and labels of the last epoch"
WHEN = "a cheap difficulty baseline; mislabelled samples come first"

PRESETS = {"final": {"record": "eval_pass", "epoch": -1, "span": 1}}


@dataclass(frozen=True)
class Params:
    """Which epochs are read."""

    epoch: int = -1
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 1
    """Number of epochs that are averaged; 0: all from the first on."""


class Loss(SummedScore):
    """4 bytes a sample."""

    direction = DIRECTION

    def value(self, batch: Batch) -> Tensor:
        """Losses in nats, float32 ``[B]``: softplus of the other classes' lead, since -log p would
        call all easy samples equal."""
        logits, own = batch.logits.float(), batch.targets.unsqueeze(1)
        others = logits.scatter(1, own, -torch.inf).logsumexp(1)
        return F.softplus(others - logits.gather(1, own).squeeze(1))


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Loss:
    """The score of ``m`` samples. Epochs beyond the run: UserError."""
    return Loss(m, span_of("loss", Params(**spec.params), epochs), device)
