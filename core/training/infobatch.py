"""InfoBatch (2303.04947): well-learned samples are skipped at random, the others weigh as before.

A pass over the data leaves out each sample whose latest loss is below the mean with probability r,
and multiplies the loss of those that stay by 1 / (1 - r), so that the expected gradient is that of
all samples. The last eighth of the training skips nobody. A pass therefore prunes less than r.

Passes follow one another without a break in epochs of equal length (:mod:`core.training.sampler`),
so the cost is that of a selection at rate r; a pass is drawn when the epoch in which it begins
does, with the losses known then.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import UserError
from core.rng import generator
from core.training.sampler import Sampler

FIRST_LOSS = 3.0
"""Loss of a sample that was not yet seen, as published: no sample is below the mean at first."""
UNTIL = 0.875
"""Share of the steps after which nobody is skipped."""


class InfoBatch(Sampler):
    """Latest loss of each sample, and what is left of the current pass."""

    def __init__(
        self, total: int, count: int, rate: float, seed: int, role: str, device: torch.device
    ) -> None:
        super().__init__(total, count, rate, seed, role)
        self._losses = torch.full((total,), FIRST_LOSS, device=device)
        self._epoch, self._passes = -1, 0
        self._ids = np.empty(0, dtype=np.int64)  # of this epoch, then of the pass's rest
        self._weights = np.empty(0, dtype=np.float32)
        self._on_device = torch.empty(0, device=device)

    def order(self, epoch: int, progress: float) -> NDArray[np.int64]:
        """The rest of the current pass and, where it ends, the beginning of the next."""
        if epoch != self._epoch:
            seen = self.count if self._epoch >= 0 else 0
            self._ids, self._weights = self._ids[seen:], self._weights[seen:]
            while len(self._ids) < self.count:
                ids, weights = self._next_pass(progress)
                self._ids = np.concatenate([self._ids, ids])
                self._weights = np.concatenate([self._weights, weights])
            self._epoch = epoch
            self._to_device()
        return self._ids[: self.count]

    def loss(
        self, paradigm: Any, mean: Tensor, logits: Tensor, y: Tensor, ids: Tensor, at: int
    ) -> Tensor:
        """The weighted mean of the losses; keeps them as the samples' latest."""
        if not hasattr(paradigm, "losses"):
            raise UserError(
                "infobatch needs the loss of each sample, which this paradigm does not say",
                "leave infobatch out of baselines",
            )
        losses: Tensor = paradigm.losses(logits, y)
        self._losses.index_copy_(0, ids, losses.detach().float())
        return (losses * self._on_device[at : at + len(ids)]).mean()

    def _next_pass(self, progress: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        order = self.permutation(self._passes)
        skipped, weights = np.zeros(self.total, bool), np.ones(self.total, np.float32)
        if progress < UNTIL:
            losses = self._losses.cpu().numpy()
            learned = losses < losses.mean(dtype=np.float64)
            rng = generator(self._seed, self._role, "order", self._passes, 1)
            skipped = learned & (rng.random(self.total) < self.rate)
            weights[learned] = 1 / (1 - self.rate)
        self._passes += 1
        order = order[~skipped[order]]
        return order, weights[order]

    def _to_device(self) -> None:
        weights = torch.from_numpy(self._weights[: self.count].copy())
        self._on_device = weights.to(self._losses.device)

    def state_dict(self) -> dict[str, Tensor]:
        """Losses, the pass, and where it is."""
        return {
            "losses": self._losses, "ids": torch.from_numpy(self._ids.copy()),
            "weights": torch.from_numpy(self._weights.copy()),
            "place": torch.tensor([self._epoch, self._passes]),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._losses.copy_(state["losses"])
        self._ids, self._weights = state["ids"].cpu().numpy(), state["weights"].cpu().numpy()
        self._epoch, self._passes = (int(v) for v in state["place"])
        self._to_device()
