"""DUAL (2502.06905): dynamic uncertainty weighted by difficulty, from the first epochs alone.

D(i) = mean over windows k of J epochs of 10 std(p) (1 - mean(p)), p the probabilities of the own
label in the window, std unbiased; all T-J+1 windows of the first T epochs. High is kept. The
training keeps its normal length; only its first T epochs are read. The factor 10 is the authors'.

- ``cifar``: T = 30 of 200 epochs, J = 10, the training forward.
- ``imagenet``: T = 60.
- ``all``: the whole training, for runs that are short anyhow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.errors import UserError
from core.scores._span import span_of
from core.scores._windows import WindowedMean
from core.scores.base import Batch, ScoreOptions, TrainedScore

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "mean over windows of 10 std(p) (1 - mean(p))"
READS = "probability of the own label in every epoch that is read"
WHEN = "scoring from the first epochs; at high rates with the policy beta"

PRESETS = {
    "cifar": {
        "record": "train_forward", "window": {"length": 10, "ddof": 1}, "epoch": 0, "span": 30,
    },
    "imagenet": {
        "record": "train_forward", "window": {"length": 10, "ddof": 1}, "epoch": 0, "span": 60,
    },
    "all": {
        "record": "train_forward", "window": {"length": 10, "ddof": 1}, "epoch": 0, "span": 0,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Params:
    """Which epochs are read."""

    epoch: int = 0
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 30
    """T, the number of epochs that are read; 0: all from the first on."""


class Dual(TrainedScore):
    """4 (J + 1) bytes a sample: the window's J probabilities and one sum."""

    direction = DIRECTION
    reads: range

    def __init__(self, epochs: range, windows: WindowedMean) -> None:
        self.reads = epochs
        self._windows = windows

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample."""
        return self._windows.bytes_per_sample

    def observe(self, epoch: int, batch: Batch) -> None:
        """Keep the probabilities of the own labels."""
        if epoch in self.reads:
            self._windows.put(epoch - self.reads.start, batch.ids, batch.true_probs)

    def end_epoch(self, epoch: int) -> None:
        """Add the window that ends here."""
        if epoch in self.reads:
            self._windows.end_epoch(epoch - self.reads.start)

    def finalize(self) -> Tensor:
        """float32 ``[m]``."""
        return self._windows.mean()

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint."""
        return self._windows.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._windows.load_state_dict(state)


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Dual:
    """The score of ``m`` samples. Epochs beyond the run, or no window in them: UserError."""
    window = spec.window
    if window is None:
        raise UserError("score.window is missing", "give score.preset or score.window")
    least = window.length + window.skip + int(window.drop_last)
    read = span_of("dual", Params(**spec.params), epochs, least)

    def uncertain_and_hard(p: Tensor) -> Tensor:
        return 10 * p.std(0, correction=window.ddof) * (1 - p.mean(0))

    return Dual(read, WindowedMean(m, len(read), window, device, uncertain_and_hard))
