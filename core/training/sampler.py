"""Retrainings that keep no set of samples: what each epoch shows is drawn anew.

A sampler says which samples an epoch shows and how their losses count. Its epochs have as many
samples as a selection at the same rate would keep, so that a sampler and a selection are compared
at equal steps by construction, whatever the budget.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.rng import generator


class Weighable(Protocol):
    """A paradigm that can say the loss of each sample of a batch."""

    def losses(self, logits: Tensor, y: Tensor) -> Tensor: ...


class Sampler(ABC):
    """``count`` samples an epoch out of 0 .. ``total``-1; seeds and roles as in the loop."""

    def __init__(self, total: int, count: int, rate: float, seed: int, role: str) -> None:
        self.total, self.count, self.rate = total, count, rate
        self._seed, self._role = seed, role

    @abstractmethod
    def order(self, epoch: int, progress: float) -> NDArray[np.int64]:
        """Ids of an epoch, int64 ``[count]``, in the order they are shown. Asked again for the same
        epoch it answers the same. ``progress``: the share of all steps that is done."""

    def loss(
        self, paradigm: Any, mean: Tensor, logits: Tensor, y: Tensor, ids: Tensor, at: int
    ) -> Tensor:
        """The loss of the batch at position ``at`` of the epoch; ``mean`` is its mean loss."""
        return mean

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed training needs."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        assert not state, "a sampler without a state was given one"

    def permutation(self, number: int) -> NDArray[np.int64]:
        """The ``number``-th permutation of all samples."""
        rng = generator(self._seed, self._role, "order", number)
        return rng.permutation(self.total).astype(np.int64)
