"""Between the net's input and pixels in [0, 1], and a net that forgets that it was attacked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from core.errors import UserError
from core.training.feed import Feed


class Pixels:
    """The change of units of one feed: input = (pixels - mean) / std, by channel."""

    def __init__(self, feed: Feed) -> None:
        if len(feed.input_shape) != 3:
            raise UserError(
                "the data are vectors, which have no range of pixels for an attack to stay in",
                "use paradigm supervised, or pictures",
            )
        self._mean, self._std = (
            torch.tensor(tuple(values), dtype=torch.float32, device=feed.device).view(1, -1, 1, 1)
            for values in (feed.bank.mean, feed.bank.std)
        )
        self._scale, self._shift = 1 / self._std, -self._mean / self._std

    def pixels(self, x: Tensor) -> Tensor:
        """Network input ``[B, C, H, W]`` as pixels; what rounding puts outside [0, 1] is put back
        to its edge."""
        return torch.addcmul(self._mean, x.detach().float(), self._std).clamp(0.0, 1.0)

    def inputs(self, pixels: Tensor) -> Tensor:
        """Pixels as network input."""
        return torch.addcmul(self._shift, pixels, self._scale)  # one pass over memory, and back


@contextmanager
def frozen_statistics(net: nn.Module) -> Iterator[None]:
    """Batch norm goes on normalising by the batch in train mode, but keeps its running statistics
    and its count of batches as they are."""
    changed = [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for module in changed:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in changed:
            module.track_running_stats = True
