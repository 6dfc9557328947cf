"""ResNet-34 (1512.03385); a 3x3 stem without max pooling for pictures up to 64x64."""

from __future__ import annotations

from dataclasses import dataclass

from torchvision.models import resnet34

from core.models._resnet import build_resnet
from core.models.base import Net


@dataclass(frozen=True)
class Params:
    """ResNet-34 has no options."""


def build(input_shape: tuple[int, ...], classes: int, params: Params) -> Net:
    """The net for pictures ``(C, H, W)``; its embedding has 512 features."""
    return build_resnet("resnet34", resnet34, input_shape, classes)
