"""Floating-point operations per sample, counted on the meta device: no memory, no arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_BATCH = 2  # batch norm in train mode needs more than one sample


@dataclass(frozen=True)
class Flops:
    """Operations per sample; a multiply-add counts as two, elementwise ones are not counted."""

    forward: int
    training: int
    """Forward and backward."""


def flops_per_sample(build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Flops:
    """Count the net that ``build`` makes, on inputs of ``input_shape`` (without the batch)."""
    with torch.device("meta"):
        net = build().train()
        x = torch.empty(_BATCH, *input_shape)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        net(x)
    with FlopCounterMode(display=False) as training:
        net(x).sum().backward()
    return Flops(
        forward.get_total_flops() // _BATCH,
        training.get_total_flops() // _BATCH,
    )
