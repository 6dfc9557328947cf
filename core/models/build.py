"""A freshly initialised net from the ``model`` section of a spec."""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import nn

from core import registry
from core.errors import UserError
from core.models.base import Net
from core.rng import derive
from core.spec import ModelSpec


class Shape(Protocol):
    """What a net has to know of the data; a SampleBank has it."""

    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...


def build_net(model: ModelSpec, bank: Shape, seed: int, role: str) -> Net:
    """The net, on the CPU, its weights drawn from (seed, role, ``init``) alone.

    Torch's own generator is left as it was. Convolution weights are channels-last, as the
    pictures of a Feed are.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, role, "init"))
        net = construct(model, bank)
    net.to(memory_format=torch.channels_last)
    return net


def construct(model: ModelSpec, bank: Shape) -> Net:
    """The net with weights from torch's current generator (on its current default device)."""
    module: Any = registry.load("model", model.name)
    net: Any = module.build(bank.input_shape, len(bank.classes), module.Params(**model.params))
    if not (isinstance(net, nn.Module) and isinstance(getattr(net, "head", None), nn.Linear)):
        raise UserError(
            f"model '{model.name}' gave {type(net).__name__}, which has no linear `head`",
            "derive it from core.models.base.Net",
        )
    return cast(Net, net)  # whatever has features(x) and a head will do


def draws_random(net: nn.Module) -> bool:
    """Whether the forward pass in train mode draws random numbers (dropout and its kin)."""
    return bool(getattr(net, "draws_random", False)) or any(
        isinstance(m, nn.modules.dropout._DropoutNd) or "StochasticDepth" in type(m).__name__
        for m in net.modules()
    )
