"""Forgetting (1812.05159): how often a sample goes from right to wrong between two visits.

F(i) = number of epochs t at which i was classified right at t-1 and wrong at t. High is kept. A
sample that was never right was never forgotten either, yet it is the hardest of all: it gets the
number of epochs read, which no count can reach, so it ranks first and the score stays finite.

- ``paper``: the training forward, all epochs.
- ``legacy_se`` (codes of 2506.09010, 2210.15809, 2502.06905 and DeepCore): never-learned samples
  stay at 0, so the hardest samples are pruned first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.scores._span import span_of
from core.scores.base import Batch, ScoreOptions, TrainedScore

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "number of t with right(t-1) and not right(t); never right: the number of epochs"
READS = "predicted and own label of every epoch that is read"
WHEN = "long scoring runs; few different values, so ties are many in short ones"

PRESETS = {
    "paper": {"record": "train_forward", "never_learned": "first", "epoch": 0, "span": 0},
    "legacy_se": {"record": "train_forward", "never_learned": "zero", "epoch": 0, "span": 0},
}


@dataclass(frozen=True)
class Params:
    """What never-learned samples get, and which epochs are read."""

    never_learned: Literal["first", "zero"] = "first"
    """first: they rank before all others; zero: they count as never forgotten."""
    epoch: int = 0
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 0
    """Number of epochs that are read; 0: all from the first on."""


class Forgetting(TrainedScore):
    """6 bytes a sample: a count, and whether it was right last time and ever."""

    direction = DIRECTION
    reads: range

    def __init__(self, m: int, epochs: range, first: bool, device: torch.device) -> None:
        self.reads = epochs
        self._first = first
        self._count = torch.zeros(m, device=device)
        self._right = torch.zeros(m, dtype=torch.bool, device=device)
        self._ever = torch.zeros(m, dtype=torch.bool, device=device)

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample."""
        return 6

    def observe(self, epoch: int, batch: Batch) -> None:
        """Count the samples that were right at the visit before and are wrong now."""
        if epoch not in self.reads:
            return
        right = batch.logits.argmax(1) == batch.targets
        lost = self._right.index_select(0, batch.ids) & ~right
        self._count.index_add_(0, batch.ids, lost.float())
        self._right.index_copy_(0, batch.ids, right)
        self._ever.index_copy_(0, batch.ids, self._ever.index_select(0, batch.ids) | right)

    def end_epoch(self, epoch: int) -> None:
        """Nothing to close."""

    def finalize(self) -> Tensor:
        """float32 ``[m]``."""
        never = float(len(self.reads)) if self._first else 0.0
        return torch.where(self._ever, self._count, torch.full_like(self._count, never))

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint."""
        return {"count": self._count, "right": self._right, "ever": self._ever}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._count.copy_(state["count"])
        self._right.copy_(state["right"])
        self._ever.copy_(state["ever"])


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Forgetting:
    """The score of ``m`` samples. Epochs beyond the run: UserError."""
    params = Params(**spec.params)
    epochs_read = span_of("forgetting", params, epochs, least=2)
    return Forgetting(m, epochs_read, params.never_learned == "first", device)
