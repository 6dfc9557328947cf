"""Optimisers by name."""

from __future__ import annotations

import torch
from torch import nn

from core.recipe import OptimizerSpec


def make_optimizer(net: nn.Module, spec: OptimizerSpec) -> torch.optim.Optimizer:
    """The optimiser of all parameters of ``net``.

    sgd is SGD with Nesterov momentum (plain SGD when momentum is 0); for adam and adamw
    ``momentum`` is beta1. adam's weight decay is an L2 penalty, adamw's is decoupled.
    """
    parameters = [p for p in net.parameters() if p.requires_grad]
    # One fused kernel instead of a dozen where there is one: the host is then never the bottleneck.
    fused = parameters[0].device.type == "cuda"
    if spec.name == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=spec.lr,
            momentum=spec.momentum,
            nesterov=spec.momentum > 0,
            weight_decay=spec.weight_decay,
            fused=fused or None,
        )
    kind = torch.optim.Adam if spec.name == "adam" else torch.optim.AdamW
    return kind(
        parameters,
        lr=spec.lr,
        betas=(spec.momentum, 0.999),
        weight_decay=spec.weight_decay,
        fused=fused or None,
    )
