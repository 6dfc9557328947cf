"""Scores that end with the epoch of best validation accuracy, as an early stop would have ended
them (2406.13283 truncates its scores before robust overfitting sets in).

A truncated score is, bit for bit, that of the same training ended after the chosen epoch: a score
made for as many epochs takes over the state of the one that is recorded. Of epochs that are too few
for the score none is chosen, and of equally good ones the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from core.errors import UserError
from core.scores.base import TrainedScore


class Truncation:
    """Follows one score; ``make`` gives the same score for a number of epochs."""

    def __init__(self, make: Callable[[int], TrainedScore]) -> None:
        self._make = make
        self.best = -math.inf
        """Validation accuracy after the chosen epoch, 0..1; -inf before one is chosen."""
        self.epoch: int | None = None
        """The chosen epoch, counted from 0."""
        self._values: Tensor | None = None

    def consider(self, epoch: int, accuracy: float, score: TrainedScore) -> None:
        """Take the score as it is now if ``accuracy`` is the highest so far. ``epoch`` is over, all
        its samples were observed, and ``score`` was not told so yet."""
        if not accuracy > self.best:
            return
        try:
            ended = self._make(epoch + 1)
        except UserError:  # too few epochs for the score to say anything
            return
        ended.load_state_dict(score.state_dict())
        ended.end_epoch(epoch)
        self.best, self.epoch, self._values = accuracy, epoch, ended.finalize()

    def finalize(self) -> Tensor:
        """The score, float32 ``[m]``, as of the chosen epoch."""
        if self._values is None:
            raise UserError(
                "no epoch was validated that is late enough for the score",
                "train longer or set score.until: end",
            )
        return self._values

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"best": self.best, "epoch": self.epoch, "values": self._values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self.best, self.epoch, self._values = state["best"], state["epoch"], state["values"]
