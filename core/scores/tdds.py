"""TDDS (2311.13613): how unevenly a sample's prediction moves, late windows of epochs first.

With P_t the softmax vector at epoch t, a_t = sum over c of |P_{t+1,c} (log(P_{t+1,c} + 1e-8) -
log(P_{t,c} + 1e-8))|: absolute values before the sum, so no Kullback-Leibler divergence. Window k
has J epochs and so J-1 values a; R_k = | a - mean(a) |, not divided by their number. Over T epochs,
S = sum over k = 0 .. T-J of b (1-b)^(T-J-k) R_k with decay b. High is kept; labels are not read.

- ``paper``: the first 30 epochs of the training, J = 10 (the README's example).
- ``cifar100_r30`` .. ``cifar100_r90``: (T, J) for a rate of 30 to 90% on CIFAR-100. Those of 30%
  and 90% are confirmed by the authors (issues 2 and 3 of their repository), the others are what the
  repository of 2502.06905 uses. All belong to a run of 200 epochs.
- ``legacy_se`` (code of 2506.09010): the last 10 epochs with J = 10, a single window, so that the
  decay is a constant factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.errors import UserError
from core.scores._span import span_of
from core.scores.base import Batch, ScoreOptions, TrainedScore

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "S = sum_k b (1-b)^(T-J-k) |a - mean(a)| over windows k of J epochs"
READS = "all probabilities of every epoch that is read; labels are not read"
WHEN = "high rates; choose how many epochs are read by the rate"

PRESETS = {
    "paper": {"record": "train_forward", "window": {"length": 10}, "epoch": 0, "span": 30},
    "cifar100_r30": {"record": "train_forward", "window": {"length": 10}, "epoch": 0, "span": 90},
    "cifar100_r50": {"record": "train_forward", "window": {"length": 10}, "epoch": 0, "span": 70},
    "cifar100_r70": {"record": "train_forward", "window": {"length": 20}, "epoch": 0, "span": 60},
    "cifar100_r80": {"record": "train_forward", "window": {"length": 10}, "epoch": 0, "span": 20},
    "cifar100_r90": {"record": "train_forward", "window": {"length": 5}, "epoch": 0, "span": 10},
    "legacy_se": {"record": "train_forward", "window": {"length": 10}, "epoch": -10, "span": 10},
}

_TINY = 1e-8
_CHUNK = 1 << 18
_EXACT_BYTES = 1 << 26
"""Tables up to this size are kept in float32, larger ones in half precision."""


@dataclass(frozen=True)
class Params:
    """Which epochs are read, and how fast early windows are forgotten."""

    decay: float = 0.9
    """b: weight of the last window; the one before gets b (1 - b) and so on."""
    epoch: int = 0
    """First epoch that is read, counted from 0; negative counts from the end."""
    span: int = 30
    """T, the number of epochs that are read; 0: all from the first on."""


class Tdds(TrainedScore):
    """The previous epoch's log probabilities, J-1 values a and one sum per sample.

    Logarithms are stored, not probabilities: in half precision their error stays below 0.008
    everywhere, where small probabilities would lose all digits.
    """

    direction = DIRECTION
    reads: range

    def __init__(
        self,
        m: int,
        classes: int,
        epochs: range,
        window: int,
        decay: float,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.reads = epochs
        self._decay = decay
        exact = 4 * m * classes <= _EXACT_BYTES
        kept = dtype or (torch.float32 if exact else torch.float16)
        self._before = torch.zeros(m, classes, dtype=kept, device=device)
        self._ring = torch.zeros(window - 1, m, device=device)
        self._sum = torch.zeros(m, device=device)

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample."""
        return self._before.shape[1] * self._before.element_size() + 4 * (len(self._ring) + 1)

    def observe(self, epoch: int, batch: Batch) -> None:
        """How far the batch's predictions have moved since the epoch before."""
        if epoch not in self.reads:
            return
        at = epoch - self.reads.start
        logs = (batch.probs + _TINY).log()
        if at:
            before = self._before.index_select(0, batch.ids).float()
            moved = (batch.probs * (logs - before)).abs().sum(1)
            self._ring[(at - 1) % len(self._ring)].index_copy_(0, batch.ids, moved)
        self._before.index_copy_(0, batch.ids, logs.to(self._before.dtype))

    def end_epoch(self, epoch: int) -> None:
        """Add the window that ends with this epoch."""
        if epoch not in self.reads or epoch - self.reads.start < len(self._ring):
            return
        for start in range(0, len(self._sum), _CHUNK):  # bounds the scratch memory
            part = slice(start, start + _CHUNK)
            values = self._ring[:, part]
            spread = torch.linalg.vector_norm(values - values.mean(0), dim=0)
            self._sum[part] = (1 - self._decay) * self._sum[part] + self._decay * spread

    def finalize(self) -> Tensor:
        """float32 ``[m]``."""
        return self._sum.clone()

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint."""
        return {"before": self._before, "ring": self._ring, "sum": self._sum}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._before.copy_(state["before"])
        self._ring.copy_(state["ring"])
        self._sum.copy_(state["sum"])


def make(m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device) -> Tdds:
    """The score of ``m`` samples. Epochs beyond the run, or no window in them: UserError."""
    params = Params(**spec.params)
    if spec.window is None:
        raise UserError("score.window is missing", "give score.preset or score.window")
    length = spec.window.length
    if length < 3:
        raise UserError(
            f"score.window.length of tdds is {length}: one value of a window never deviates",
            "give 3 or more",
        )
    if not 0 < params.decay <= 1:
        raise UserError(f"score.decay is {params.decay:g}", "give a value above 0 and at most 1")
    read = span_of("tdds", params, epochs, least=length)
    return Tdds(m, classes, read, length, params.decay, device)
