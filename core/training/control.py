"""What the loop is told from outside (Control) and what it hands back (Trained)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


class Control:
    """How the outside reaches a running loop; every method may be overridden, none must be."""

    def should_stop(self) -> bool:
        """Polled before every step; True makes the loop write a checkpoint and raise Stopped."""
        return False

    def progress(self, step: int, total: int) -> None:
        """A few times a second, and at the end: steps done and steps planned, or their share
        of the time where a training has seconds to take."""

    def checkpointed(self, step: int) -> None:
        """A checkpoint of this step is safe on disk; all points up to it were emitted before."""

    def resumed(self, step: int) -> None:
        """Training continues from a checkpoint of this step."""

    def warn(self, text: str) -> None:
        """Something a user may want to know, in one line."""


@dataclass(frozen=True)
class Trained:
    """What a training run was and cost.

    ``seconds`` is training, recording and checkpoints; evaluation is apart, unless it chooses
    where scores end. ``train_passes`` counts samples shown with a backward pass, those of an attack
    included; ``extra_passes`` those shown only to be recorded or to choose.
    ``judged_by`` is the metric that chose where scores end, None where nothing was chosen.
    ``metrics`` and ``predictions`` (int32 ``[n_test]``) are of the last step, empty and None
    without test data. ``history`` is the curve: series -> step, epoch, value lists.
    """

    steps: int
    epochs: float
    train_passes: int
    extra_passes: int
    seconds: float
    evaluation_seconds: float
    metrics: dict[str, float]
    predictions: NDArray[np.int32] | None
    judged_by: str | None = None
    history: dict[str, dict[str, list[float]]] = field(default_factory=dict)
