"""A classifier of torchvision by its name there, such as ``arch: efficientnet_b0``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torchvision import models

from core.errors import UserError, nearest
from core.models._cut import cut
from core.models.base import Net


@dataclass(frozen=True)
class Params:
    """Options of a torchvision classifier."""

    arch: str = "resnet18"
    """Its name in torchvision.models; all but squeezenet end in the linear layer that is needed."""


def build(input_shape: tuple[int, ...], classes: int, params: Params) -> Net:
    """The net as torchvision makes it, freshly initialised, for pictures ``(C, H, W)``, C 1 or 3.

    No stem is changed: below about 64 pixels resnet18 and its like are better. UserError for an
    unknown name and for pictures it cannot take.
    """
    known = models.list_models(module=models)
    if params.arch not in known:
        what = f"torchvision has no classifier called '{params.arch}'"
        raise UserError(what, nearest(params.arch, known))
    if len(input_shape) != 3 or input_shape[0] not in (1, 3):
        what = f"model 'torchvision' needs grey or colour pictures, not {input_shape}"
        raise UserError(what, "use model 'linear', or one of your own")
    _try(params.arch, input_shape, classes)
    net = _make(params.arch, input_shape, classes)
    return cut(net, f"torchvision {params.arch}", classes, colour=True)


def _make(arch: str, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    options: dict[str, Any] = {"num_classes": classes}
    if arch.startswith("vit_"):  # its position embedding is as large as the picture
        options["image_size"] = input_shape[1]
    elif arch.startswith("maxvit"):
        options["input_size"] = input_shape[1:]
    elif arch in ("googlenet", "inception_v3"):  # a second classifier in training is another loss
        options |= {"aux_logits": False, "init_weights": True}
    if not arch.startswith("regnet"):
        net: nn.Module = models.get_model(arch, weights=None, **options)
        return net
    wanted = torch.get_default_device()
    with torch.device("cpu"):  # it reads values while it is made, which meta tensors lack
        made: nn.Module = models.get_model(arch, weights=None, **options)
    return made.to(wanted)


def _try(arch: str, input_shape: tuple[int, ...], classes: int) -> None:
    """Push shapes without numbers through it: what it cannot take is said before training."""
    try:
        with torch.device("meta"):
            net = _make(arch, input_shape, classes).eval()
            net(torch.empty(2, 3, *input_shape[1:]))
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        why = str(error).partition("\n")[0]
        side = "x".join(str(s) for s in input_shape[1:])
        raise UserError(
            f"torchvision's {arch} cannot take {side} pictures ({why})", _LARGER
        ) from error


_LARGER = "set data.size, or use resnet18, resnet34, resnet50 or wide_resnet28_10"
