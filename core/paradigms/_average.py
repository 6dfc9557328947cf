"""An exponential moving average of a net's weights, which is what is evaluated and kept."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from core.models.base import Net


class Average:
    """``net <- tau net + (1 - tau) raw`` after every step, with buffers of its own, which are set
    to the raw net's (2010.03593): the average's batch norm must not be fed by its own passes.

    tau is 0 for the first ``warmup`` steps, then min(``decay``, (1 + d) / (10 + d)) at d steps
    after them.
    """

    def __init__(self, raw: Net, decay: float, warmup: int) -> None:
        self.net = copy.deepcopy(raw)
        self._decay, self._warmup = decay, warmup
        self._own: list[Tensor] = list(self.net.parameters())
        self._raw: list[Tensor] = list(raw.parameters())
        self._buffers = list(zip(self.net.buffers(), raw.buffers(), strict=True))
        for parameter in self._own:
            parameter.requires_grad_(False)

    def update(self, step: int) -> None:
        """Take in the raw net after optimiser step ``step``, counted from 0."""
        with torch.no_grad():
            torch._foreach_lerp_(self._own, self._raw, 1 - self.tau(step))
            for own, raw in self._buffers:
                own.copy_(raw)

    def tau(self, step: int) -> float:
        """Weight of what the average was."""
        late = step - self._warmup
        return min(self._decay, (1 + late) / (10 + late)) if late >= 0 else 0.0

    def put_into(self, raw: nn.Module) -> None:
        """Make the raw net the average."""
        raw.load_state_dict(self.net.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """The average, for a checkpoint."""
        return self.net.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self.net.load_state_dict(state)
