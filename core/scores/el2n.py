"""EL2N (2107.07075): length of the error vector, softmax minus one-hot label, early in training.

E(i) = || softmax(z(x_i)) - onehot(y_i) ||_2, summed over the epochs that are read. High is kept.

- ``paper``: one evaluation pass after ten epochs of training, of a single net.
- ``ten_nets``: the same, averaged over ten nets as the authors advise, at ten times the cost.
- ``ccs`` (code of 2210.15809): the training forward, summed over the first ten epochs of one run.
- ``dual`` (code of 2502.06905): the training forward of the 21st epoch alone.
- ``legacy_se`` (code of 2506.09010): the training forward of the first two epochs, two nets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.errors import UserError
from core.scores.base import Batch, ScoreOptions, TrainedScore

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "|softmax - onehot|, summed over the epochs that are read"
READS = "probabilities and labels of one or a few early epochs"
WHEN = "low rates and short scoring runs; noisy with a single net"

PRESETS = {
    "paper": {"record": "eval_pass", "epoch": 9, "span": 1},
    "ccs": {"record": "train_forward", "epoch": 0, "span": 10},
    "dual": {"record": "train_forward", "epoch": 20, "span": 1},
    "ten_nets": {"record": "eval_pass", "epoch": 9, "span": 1, "nets": 10},
    "legacy_se": {"record": "train_forward", "epoch": 0, "span": 2, "nets": 2},
}


@dataclass(frozen=True)
class Params:
    """Which epochs are read."""

    epoch: int = 9
    """First epoch that is read, counted from 0."""
    span: int = 1
    """Number of epochs that are summed."""


class El2n(TrainedScore):
    """4 bytes a sample: one running sum."""

    direction = DIRECTION
    reads: range

    def __init__(self, m: int, epochs: range, device: torch.device) -> None:
        self.reads = epochs
        self._sum = torch.zeros(m, device=device)

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample."""
        return 4

    def observe(self, epoch: int, batch: Batch) -> None:
        """Add the error's length in the epochs that are read."""
        if epoch not in self.reads:
            return
        self._sum.index_add_(0, batch.ids, torch.linalg.vector_norm(batch.error, dim=1))

    def end_epoch(self, epoch: int) -> None:
        """Nothing to close."""

    def finalize(self) -> Tensor:
        """float32 ``[m]``."""
        return self._sum.clone()

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint."""
        return {"sum": self._sum}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._sum.copy_(state["sum"])


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> El2n:
    """The score of ``m`` samples. Epochs beyond the run: UserError."""
    params = Params(**spec.params)
    if params.epoch < 0 or params.span < 1:
        raise UserError("score.epoch must be 0 or more and score.span 1 or more")
    if params.epoch + params.span > epochs:
        raise UserError(
            f"score el2n reads epoch {params.epoch + params.span - 1} (counted from 0), "
            f"the training has {epochs} epochs",
            "train longer or set score.epoch and score.span lower",
        )
    return El2n(m, range(params.epoch, params.epoch + params.span), device)
