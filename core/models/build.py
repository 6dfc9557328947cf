"""A freshly initialised net from the ``model`` section of a spec."""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import nn

from core import registry
from core.errors import UserError
from core.models._cut import cut_checked
from core.models.base import Net
from core.models.weights import fingerprint, load_weights
from core.rng import derive
from core.spec import ModelSpec


class Shape(Protocol):
    """What a net has to know of the data; a SampleBank has it."""

    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...


def build_net(model: ModelSpec, bank: Shape, seed: int, role: str) -> Net:
    """The net, on the CPU, its weights drawn from (seed, role, ``init``) alone, or else from the
    file ``model.weights``.

    Torch's own generator is left as it was. Convolution weights are channels-last, as the
    pictures of a Feed are. UserError when the file does not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, role, "init"))
        net = construct(model, bank)
    if model.weights is not None:
        load_weights(net, model.weights, model.name)
    net.to(memory_format=torch.channels_last)
    return net


def construct(model: ModelSpec, bank: Shape) -> Net:
    """The net with weights from torch's current generator (on its current default device)."""
    module: Any = registry.load("model", model.name)
    classes = len(bank.classes)
    options = (module.Params(**model.params),) if hasattr(module, "Params") else ()
    if not registry.is_own("model", model.name):
        return _checked(module.build(bank.input_shape, classes, *options), model.name)
    function = getattr(module, model.name.partition(":")[2])
    net: Any = function(bank.input_shape, classes, *options)
    if isinstance(net, nn.Module) and not _is_net(net):
        return cut_checked(net, model.name, classes, bank.input_shape)
    return _checked(net, model.name)


def identity(model: ModelSpec) -> list[Any]:
    """What a net depends on besides seed and data: its source, its options, its weights' bytes.

    UserError when the weights are not there.
    """
    options = model.model_dump(mode="json", by_alias=True)
    if model.weights is not None:
        options["weights"] = fingerprint(model.weights)
    return [registry.describe("model", model.name).version, options]


def _checked(net: Any, name: str) -> Net:
    if not (isinstance(net, nn.Module) and _is_net(net)):
        raise UserError(
            f"model '{name}' gave {type(net).__name__}, which has no linear `head`",
            "derive it from core.models.base.Net",
        )
    return cast(Net, net)  # whatever has features(x) and a head will do


def _is_net(net: nn.Module) -> bool:
    features = getattr(net, "features", None)  # of some nets a module, a part among others
    whole = callable(features) and not isinstance(features, nn.Module)
    return whole and isinstance(getattr(net, "head", None), nn.Linear)


def draws_random(net: nn.Module) -> bool:
    """Whether the forward pass in train mode draws random numbers (dropout and its kin)."""
    return bool(getattr(net, "draws_random", False)) or any(
        isinstance(m, nn.modules.dropout._DropoutNd) or "StochasticDepth" in type(m).__name__
        for m in net.modules()
    )
