"""What a paradigm is: a training step and an evaluation.

A paradigm file has ``class Params`` for its options and
``make(params, recipe: TrainSpec) -> Paradigm``. One whose step shows a sample to the net more than
once also has a literal ``EXTRA_PASSES``, whose terms are added: the name of an option counts its
value, a tuple of names their product, a mapping of options counts 1 where all have these values.
``ATTACK_PASSES`` says the same of its evaluation, beyond one forward pass. The plan reads both, so
that a cost is known before anything is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.models.base import Net

if TYPE_CHECKING:
    from core.training.feed import Feed


@dataclass
class StepOutput:
    """What one training step's forward gave: loss (scalar, mean over the batch), and what is shown
    to scores and to the training accuracy: logits ``[B, C]``, features ``[B, d]`` or None."""

    loss: Tensor
    logits: Tensor
    features: Tensor | None = None


@dataclass(frozen=True)
class Start:
    """A training that begins: ``total`` steps of ``net`` on ``feed``; random numbers come from
    (seed, role), warnings go to ``warn``."""

    net: Net
    feed: Feed
    seed: int
    role: str
    total: int
    warn: Callable[[str], None]


class Paradigm:
    """Loss, targets and evaluation; the loop asks for nothing else."""

    passes: int = 1
    """Forward and backward passes that a training step makes with every sample."""
    validates: bool = False
    """Whether ``data.validation`` is evaluated after every epoch, whoever asks for it."""
    judged_by: str = "accuracy"
    """The metric of :meth:`evaluate` by which the best epoch is chosen on validation samples."""
    attack_passes: int = 0
    """Forward and backward passes that :meth:`evaluate` makes with a sample, beyond a forward one;
    counted as if every sample were attacked."""

    def begin(self, start: Start) -> None:
        """Before the first step, or before :meth:`load_state_dict`."""

    def step(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        """Forward pass of one training batch ``x``, targets int64 ``[B]``; no backward."""
        raise TypeError(f"{type(self).__name__} does not define step")

    def after_step(self, net: Net) -> None:
        """After the optimiser has changed the net."""

    def evaluate(
        self, net: Net, feed: Feed, ids: NDArray[np.int64] | None = None
    ) -> tuple[dict[str, float], NDArray[np.int32]]:
        """Metrics as fractions 0..1 and the predicted classes ``[n]`` of these ids (None: all)."""
        raise TypeError(f"{type(self).__name__} does not define evaluate")

    def conclude(self, net: Net, feed: Feed) -> dict[str, float]:
        """Further metrics of the test set, measured once, after the last step's evaluation."""
        return {}

    def finish(self, net: Net) -> None:
        """After the last step and its evaluation: make the net what is to be kept."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold of the paradigm."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave."""
