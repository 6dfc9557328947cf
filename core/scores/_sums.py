"""Scores that are a sum or a mean, over the epochs that are read, of one number per sample."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from core.scores.base import Batch, TrainedScore


class SummedScore(TrainedScore):
    """4 bytes a sample: one running sum. ``mean`` divides by the number of epochs in the end."""

    reads: range

    def __init__(self, m: int, epochs: range, device: torch.device, *, mean: bool = True) -> None:
        self.reads = epochs
        self._divisor = len(epochs) if mean else 1
        self._sum = torch.zeros(m, device=device)

    @abstractmethod
    def value(self, batch: Batch) -> Tensor:
        """The number of one epoch for each sample of the batch, float32 ``[B]``."""

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample."""
        return 4

    def observe(self, epoch: int, batch: Batch) -> None:
        """Add the batch's values in the epochs that are read."""
        if epoch in self.reads:
            self._sum.index_add_(0, batch.ids, self.value(batch))

    def end_epoch(self, epoch: int) -> None:
        """Nothing to close."""

    def finalize(self) -> Tensor:
        """float32 ``[m]``."""
        return self._sum / self._divisor

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint."""
        return {"sum": self._sum}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._sum.copy_(state["sum"])
