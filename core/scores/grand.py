"""GraNd of the last layer (2107.07075): length of the gradient of a sample's loss there.

With e = softmax(z) - onehot(y) and h the features before the head, the gradient of the cross
entropy is e for the bias and e h^T for the weights, so its length is |e| sqrt(1 + |h|^2), without a
backward pass. High is kept. The paper takes all parameters and the mean over ten nets; its claim
for nets at initialisation did not reproduce (2303.14753), so early epochs are read.

- ``last_layer``: one evaluation pass after ten epochs, of a single net.
- ``deepcore`` (code of 2204.08499): the same, averaged over ten nets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from core.errors import UserError
from core.scores._span import span_of
from core.scores._sums import SummedScore
from core.scores.base import Batch, ScoreOptions

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "|e| sqrt(1 + |h|^2), e = softmax - onehot, h the features before the head"
READS = "probabilities, labels and features of an early epoch"
WHEN = "like el2n, where the length of the features matters too"

PRESETS = {
    "last_layer": {"record": "eval_pass", "epoch": 9, "span": 1},
    "deepcore": {"record": "eval_pass", "epoch": 9, "span": 1, "nets": 10},
}


@dataclass(frozen=True)
class Params:
    """Which epochs are read."""

    epoch: int = 9
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 1
    """Number of epochs that are averaged; 0: all from the first on."""


class Grand(SummedScore):
    """4 bytes a sample."""

    direction = DIRECTION
    needs: ClassVar[frozenset[str]] = frozenset({"features"})

    def value(self, batch: Batch) -> Tensor:
        """Gradient lengths, float32 ``[B]``."""
        if batch.features is None:
            raise UserError(
                "score grand reads the features before the head, which this paradigm does not show",
                "use score el2n, or record: eval_pass",
            )
        error = torch.linalg.vector_norm(batch.error, dim=1)
        features = torch.linalg.vector_norm(batch.features.float(), dim=1)
        length: Tensor = error * torch.hypot(features, torch.ones_like(features))
        return length


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Grand:
    """The score of ``m`` samples. Epochs beyond the run: UserError."""
    return Grand(m, span_of("grand", Params(**spec.params), epochs), device)
