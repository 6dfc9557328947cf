"""What a net thinks of samples it does not train on, at a few moments of its training.

At each moment three numbers a sample: the probability of its label, the margin (that probability
minus the largest of the other classes; Pleiss et al., arXiv 2001.10528, with probabilities for
logits), and the entropy of the probabilities in nats. Where not every sample has a label, the most
probable class stands for it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.scores.base import Batch, TrainedScore

NUMBERS = 3
"""Numbers a sample and moment."""


class Dynamics(TrainedScore):
    """Watches ``m`` samples after the epochs ``moments``; float32 ``[m, len(moments), 3]``."""

    direction = "high"

    def __init__(self, m: int, moments: tuple[int, ...], labelled: bool, device: torch.device):
        self.reads = self._moments = moments
        self._labelled = labelled
        self._table = torch.zeros(m, len(moments), NUMBERS, device=device)

    @property
    def bytes_per_sample(self) -> int:
        return 4 * self._table.shape[1] * NUMBERS

    def observe(self, epoch: int, batch: Batch) -> None:
        found = numbers(batch.probs, batch.targets if self._labelled else None)
        self._table[batch.ids, self._moments.index(epoch)] = found

    def end_epoch(self, epoch: int) -> None:
        """Nothing is summed over an epoch."""

    def finalize(self) -> Tensor:
        """The numbers, float32 ``[m, len(moments), 3]``."""
        return self._table

    def state_dict(self) -> dict[str, Tensor]:
        return {"table": self._table}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._table.copy_(state["table"])


def numbers(probs: Tensor, labels: Tensor | None) -> Tensor:
    """Probability, margin and entropy, float32 ``[B, 3]``, of probabilities ``[B, C]`` and int64
    labels ``[B]`` (None: the most probable class)."""
    chosen = probs.argmax(1) if labels is None else labels
    own = probs.gather(1, chosen.unsqueeze(1)).squeeze(1)
    rest = probs.scatter(1, chosen.unsqueeze(1), -1.0).amax(1).clamp(min=0)
    entropy = torch.special.entr(probs).sum(1)
    return torch.stack([own, own - rest, entropy], dim=1)
