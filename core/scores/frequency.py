"""Frequency score (2406.13283): how strongly a sample's probability swings over the epochs.

FP(i) = sum over f = 1 .. T-1 of | sum over t of p_t(i) exp(-2 pi i f t / T) |, p_t(i) the softmax
probability of sample i's label at epoch t of the T epochs that are read. The constant part, f = 0,
is left out. High is kept. Despite its published name (fundamental frequency) all frequencies count.

- ``nieth``: one evaluation pass at each epoch's end, all epochs. A long adversarial training
  overfits late: ``span`` ends the series at the epoch where a stopped training would have ended.
- ``training``: the training forward itself, at no further cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.scores._span import span_of
from core.scores.base import Batch, ScoreOptions, TrainedScore

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "sum over frequencies above 0 of |FFT(p_0 .. p_{T-1})|, p_t the own label's probability"
READS = "probability of the own label in every epoch that is read"
WHEN = "adversarial training, low rates"

PRESETS = {
    "nieth": {"record": "eval_pass", "epoch": 0, "span": 0},
    "training": {"record": "train_forward", "epoch": 0, "span": 0},
}
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Params:
    """Which epochs are read."""

    epoch: int = 0
    """First epoch that is read, counted from 0, or from the end where negative."""
    span: int = 0
    """Number of epochs; 0: all that follow."""


class Frequency(TrainedScore):
    """4 T bytes a sample: the probabilities of the epochs that are read."""

    direction = DIRECTION
    reads: range

    def __init__(self, m: int, epochs: range, device: torch.device) -> None:
        self.reads = epochs
        self._series = torch.zeros(len(epochs), m, device=device)

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample."""
        return 4 * len(self.reads)

    def observe(self, epoch: int, batch: Batch) -> None:
        """Keep the probabilities of the own labels."""
        if epoch in self.reads:
            self._series[epoch - self.reads.start].index_copy_(0, batch.ids, batch.true_probs)

    def end_epoch(self, epoch: int) -> None:
        """Nothing to close."""

    def finalize(self) -> Tensor:
        """float32 ``[m]``."""
        found = torch.empty_like(self._series[0])
        for at in range(0, len(found), _CHUNK):  # bounds the scratch memory
            part = slice(at, at + _CHUNK)
            found[part] = torch.fft.fft(self._series[:, part], dim=0)[1:].abs().sum(0)
        return found

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint."""
        return {"series": self._series}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave, also that of a longer training."""
        self._series.copy_(state["series"][: len(self._series)])


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Frequency:
    """The score of ``m`` samples. Epochs beyond the run, or fewer than two: UserError."""
    params = Params(**spec.params)
    return Frequency(m, span_of("frequency", params, epochs, least=2), device)
