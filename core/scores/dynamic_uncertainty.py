"""Dynamic uncertainty (2306.05175): how much the probability of the own label moves in training.

U(i) = mean over windows k of std(p_k(i) .. p_{k+J-1}(i)), p_t(i) the softmax probability of sample
i's label at epoch t, J the window's length. High is kept. The published implementations differ in
what is recorded and in the windows (T epochs, numbered from 0):

- ``paper``: a second forward inside each step, un-augmented, evaluation mode; unbiased deviation;
  windows start at 0 .. T-J-1 (the very last is dropped).
- ``nieth`` (2406.13283): the same windows over one evaluation pass at each epoch's end.
- ``legacy_se`` (code of 2506.09010): the training forward itself; biased deviation; windows start
  at 2 .. T-J. (That code also left the net in evaluation mode from the second epoch; not here.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.errors import UserError
from core.scores._windows import WindowedMean
from core.scores.base import Batch, ScoreOptions, TrainedScore

DIRECTION: Literal["high", "low"] = "high"
FORMULA = "mean over windows k of std(p_k .. p_{k+J-1}), p_t the probability of the own label"
READS = "probability of the own label in every epoch"
WHEN = "low rates; below random past 50%"

PRESETS = {
    "paper": {
        "record": "extra_forward",
        "window": {"length": 10, "ddof": 1, "skip": 0, "drop_last": True},
    },
    "nieth": {
        "record": "eval_pass",
        "window": {"length": 10, "ddof": 1, "skip": 0, "drop_last": True},
    },
    "legacy_se": {
        "record": "train_forward",
        "window": {"length": 10, "ddof": 0, "skip": 2, "drop_last": False},
    },
}


@dataclass(frozen=True)
class Params:
    """Dynamic uncertainty has no options beyond record and window."""


class DynamicUncertainty(TrainedScore):
    """4 (J + 1) bytes a sample: the window's J probabilities and one sum."""

    direction = DIRECTION

    def __init__(self, deviation: WindowedMean) -> None:
        self._deviation = deviation

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample."""
        return self._deviation.bytes_per_sample

    def observe(self, epoch: int, batch: Batch) -> None:
        """Keep the probabilities of the own labels."""
        self._deviation.put(epoch, batch.ids, batch.true_probs)

    def end_epoch(self, epoch: int) -> None:
        """Add the window that ends here."""
        self._deviation.end_epoch(epoch)

    def finalize(self) -> Tensor:
        """float32 ``[m]``."""
        return self._deviation.mean()

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint."""
        return self._deviation.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._deviation.load_state_dict(state)


def make(
    m: int, classes: int, epochs: int, spec: ScoreOptions, device: torch.device
) -> DynamicUncertainty:
    """The score of ``m`` samples over ``epochs`` whole epochs. Too short a run: UserError."""
    if spec.window is None:
        raise UserError("score.window is missing", "give score.preset or score.window")
    return DynamicUncertainty(WindowedMean(m, epochs, spec.window, device))
