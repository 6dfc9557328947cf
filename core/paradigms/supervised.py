"""Classification with given labels: cross entropy, accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.models.base import Net
from core.paradigms.base import Paradigm, StepOutput
from core.recipe import TrainSpec
from core.training.evaluate import predict
from core.training.feed import Feed


@dataclass(frozen=True)
class Params:
    """Supervised training has no options of its own."""


@dataclass(frozen=True)
class Supervised(Paradigm):
    """Cross entropy on the given labels, optionally smoothed."""

    label_smoothing: float = 0.0

    def step(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        """One forward pass; see :class:`core.paradigms.base.Paradigm`."""
        features = net.features(x)
        logits = net.head(features)
        loss = F.cross_entropy(logits, y, label_smoothing=self.label_smoothing)
        return StepOutput(loss, logits, features)

    def losses(self, logits: Tensor, y: Tensor) -> Tensor:
        """Loss of each sample of a batch, float32 ``[B]``; their mean is the step's loss."""
        return F.cross_entropy(
            logits.float(), y, reduction="none", label_smoothing=self.label_smoothing
        )

    def evaluate(
        self, net: Net, feed: Feed, ids: NDArray[np.int64] | None = None
    ) -> tuple[dict[str, float], NDArray[np.int32]]:
        """Accuracy over the ids (each sample counts once) and the predicted classes."""
        predictions = predict(net, feed, ids)
        targets = feed.bank.targets if ids is None else feed.bank.targets[ids]
        return {"accuracy": float(np.mean(predictions == targets))}, predictions


def make(params: Params, recipe: TrainSpec) -> Supervised:
    """The paradigm for a training recipe."""
    return Supervised(recipe.label_smoothing)
