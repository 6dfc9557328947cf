"""A linear classifier on the flattened input; its embedding is that input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from core.models.base import Net


@dataclass(frozen=True)
class Params:
    """The linear classifier has no options."""


class Linear(Net):
    """One linear layer."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, classes)

    def features(self, x: Tensor) -> Tensor:
        """The input itself as ``[B, D]``."""
        return x.flatten(1)


def build(input_shape: tuple[int, ...], classes: int, params: Params) -> Net:
    """The classifier for any input shape."""
    return Linear(math.prod(input_shape), classes)
