"""What a paradigm is: a training step and an evaluation.

A paradigm file has ``class Params`` for its options and
``make(params, recipe: TrainSpec) -> Paradigm``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.models.base import Net

if TYPE_CHECKING:
    from core.training.feed import Feed


@dataclass
class StepOutput:
    """What one forward pass gave: loss (scalar, mean over the batch), logits ``[B, C]`` and
    features ``[B, d]`` or None."""

    loss: Tensor
    logits: Tensor
    features: Tensor | None = None


class Paradigm(Protocol):
    """Loss, targets and evaluation; the loop asks for nothing else."""

    def step(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        """Forward pass of one training batch ``x``, targets int64 ``[B]``; no backward."""

    def evaluate(
        self, net: Net, feed: Feed, ids: NDArray[np.int64] | None = None
    ) -> tuple[dict[str, float], NDArray[np.int32]]:
        """Metrics as fractions 0..1 and the predicted classes ``[n]`` of these ids (None: all)."""
