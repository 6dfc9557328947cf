"""Entropy (1906.11829): how undecided the trained net is, whatever the label.

H(i) = - sum over c of p_c log p_c, p the softmax of the final net. High is kept.

- ``final``: one evaluation pass after the last epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.scores._span import span_of
from core.scores._sums import SummedScore
from core.scores.base import Batch, ScoreOptions

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "- sum_c p_c log p_c, p the softmax of the final net"
READS = "probabilities of the last epoch; no label of the sample itself"
WHEN = "a cheap uncertainty baseline"

PRESETS = {"final": {"record": "eval_pass", "epoch": -1, "span": 1}}


@dataclass(frozen=True)
class Params:
    """Which epochs are read."""

    epoch: int = -1
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 1
    """Number of epochs that are averaged; 0: all from the first on."""


class Entropy(SummedScore):
    """4 bytes a sample."""

    direction = DIRECTION

    def value(self, batch: Batch) -> Tensor:
        """Entropies in nats, float32 ``[B]``."""
        entropies: Tensor = torch.special.entr(batch.probs).sum(1)
        return entropies


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Entropy:
    """The score of ``m`` samples. Epochs beyond the run: UserError."""
    return Entropy(m, span_of("entropy", Params(**spec.params), epochs), device)
