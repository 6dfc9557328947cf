"""What the ResNets share: torchvision's networks with a stem fit for small pictures."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models import ResNet

from core.errors import UserError
from core.models.base import Net

SMALL_SIDE = 64
"""Up to this side pictures get the CIFAR stem: 3x3 stride 1 and no max pooling."""


class ResNetNet(Net):
    """A torchvision ResNet cut in front of its classifier, which was called ``fc``."""

    head_name = "fc"

    def __init__(self, trunk: ResNet, channels: int, classes: int, small: bool) -> None:
        super().__init__()
        width = trunk.fc.in_features
        if small:
            trunk.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
            trunk.maxpool = nn.Identity()
        elif channels != 3:
            trunk.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(trunk.conv1.weight, mode="fan_out", nonlinearity="relu")
        trunk.fc = nn.Identity()
        self.trunk = trunk
        self.head = nn.Linear(width, classes)

    def features(self, x: Tensor) -> Tensor:
        """Global average pool of the last block, ``[B, 512]`` or ``[B, 2048]``."""
        embedding: Tensor = self.trunk(x)
        return embedding


def build_resnet(
    name: str, make: Callable[..., ResNet], input_shape: tuple[int, ...], classes: int
) -> Net:
    """A freshly initialised ResNet for pictures ``(C, H, W)``. Vectors raise UserError."""
    if len(input_shape) != 3:
        raise UserError(
            f"model '{name}' needs pictures, the data are vectors of {input_shape[0]} numbers",
            "use model 'linear'",
        )
    channels, height, width = input_shape
    return ResNetNet(make(weights=None), channels, classes, max(height, width) <= SMALL_SIDE)
