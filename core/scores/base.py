"""What a trained score is: it watches a training run and gives one number per scored sample.

A score file has a class derived from :class:`TrainedScore`, a function
``make(m, classes, epochs, spec, device) -> TrainedScore``, and two literal constants that are read
without importing it: ``DIRECTION``, ``"high"`` or ``"low"``, and ``PRESETS``,
``{preset: {score key: value}}`` with the keys of the ``score`` section of a spec.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor


class ScoreOptions(Protocol):
    """What a score reads of the ``score`` section."""

    @property
    def record(self) -> str: ...
    @property
    def window(self) -> Any: ...
    @property
    def params(self) -> dict[str, Any]: ...


@dataclass
class Batch:
    """One observed batch.

    ids: int64 ``[B]``, positions in the scored set, each at most once; logits ``[B, C]``
    (detached); targets int64 ``[B]``; features ``[B, d]`` or None.
    """

    ids: Tensor
    logits: Tensor
    targets: Tensor
    features: Tensor | None = None

    @cached_property
    def probs(self) -> Tensor:
        """Softmax of the logits in float32, ``[B, C]``, whatever the precision of the net."""
        return torch.softmax(self.logits.float(), dim=1)

    @cached_property
    def true_probs(self) -> Tensor:
        """Probability of each sample's own label, float32 ``[B]``."""
        return self.probs.gather(1, self.targets.unsqueeze(1)).squeeze(1)

    @cached_property
    def error(self) -> Tensor:
        """Softmax minus the one-hot label, float32 ``[B, C]``."""
        classes = torch.arange(self.probs.shape[1], device=self.targets.device)
        return self.probs - (classes == self.targets.unsqueeze(1)).float()


class TrainedScore(ABC):
    """Base of scores made from what a training run shows.

    ``direction`` says which end is important: ``"high"`` keeps large values, ``"low"`` small
    ones. ``needs`` names what :class:`Batch` must carry beyond logits and targets
    (``"features"``). Epochs count from 0; ``reads`` are those it reads (None: all), and it is
    shown no others.
    """

    direction: Literal["high", "low"]
    needs: ClassVar[frozenset[str]] = frozenset()
    reads: Sequence[int] | None = None

    @property
    @abstractmethod
    def bytes_per_sample(self) -> int:
        """Bytes of recorder memory per scored sample, all of it."""

    @abstractmethod
    def observe(self, epoch: int, batch: Batch) -> None:
        """Take in one batch; no call may wait for the device or loop over samples."""

    @abstractmethod
    def end_epoch(self, epoch: int) -> None:
        """All m samples were observed once in this epoch."""

    @abstractmethod
    def finalize(self) -> Tensor:
        """The scores, float32 ``[m]``, in the order of the positions."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """Everything a resumed run needs, tensors only."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
