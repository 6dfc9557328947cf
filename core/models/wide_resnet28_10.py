"""Wide ResNet (1605.07146), 28 layers and ten times the width unless changed; ReLU or SiLU."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from core.errors import UserError
from core.models.base import Net


@dataclass(frozen=True)
class Params:
    """Options of the wide ResNet."""

    depth: int = 28
    """Layers: 6 n + 4 for n blocks in each of the three groups."""
    width: int = 10
    """Channels over those of the plain ResNet; the embedding has 64 x width features."""
    activation: Literal["relu", "silu"] = "relu"
    """silu as in adversarial training with generated data (2010.03593)."""
    dropout: float = 0.0
    """Share of a block's inner maps that is dropped in training."""


class WideResNet(Net):
    """Three groups of pre-activation blocks at full, half and quarter side."""

    def __init__(self, channels: int, classes: int, params: Params) -> None:
        super().__init__()
        widths = [16 * params.width, 32 * params.width, 64 * params.width]
        blocks: list[nn.Module] = []
        inputs = 16
        for group, outputs in enumerate(widths):
            for index in range((params.depth - 4) // 6):
                stride = 2 if group > 0 and index == 0 else 1
                blocks.append(_Block(inputs, outputs, stride, params))
                inputs = outputs
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.BatchNorm2d(inputs), _activation(params))
        self.head = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """Global average pool of the last group, ``[B, 64 width]``."""
        maps: Tensor = self.last(self.blocks(self.stem(x)))
        return maps.mean((2, 3))


class _Block(nn.Module):
    """Normalise, activate, convolve, twice; the shortcut starts after the first activation where
    the number of channels changes, else it is the input itself."""

    def __init__(self, inputs: int, outputs: int, stride: int, params: Params) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), _activation(params))
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        layers["norm"] = nn.BatchNorm2d(outputs)
        layers["act"] = _activation(params)
        if params.dropout:
            layers["drop"] = nn.Dropout(params.dropout)
        layers["conv2"] = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.inner = nn.Sequential(layers)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[B, outputs, H / stride, W / stride]``."""
        ready = self.first(x)
        kept = x if self.shortcut is None else self.shortcut(ready)
        total: Tensor = kept + self.inner(ready)
        return total


def _activation(params: Params) -> nn.Module:
    return nn.SiLU(inplace=True) if params.activation == "silu" else nn.ReLU(inplace=True)


def build(input_shape: tuple[int, ...], classes: int, params: Params) -> Net:
    """The net for pictures ``(C, H, W)`` of at least 4 x 4. Other inputs raise UserError."""
    if len(input_shape) != 3 or min(input_shape[1:]) < 4:
        what = f"model 'wide_resnet28_10' needs pictures of at least 4x4, not {input_shape}"
        raise UserError(what, "use model 'linear'")
    if params.depth < 10 or (params.depth - 4) % 6:
        raise UserError(f"model.depth is {params.depth}", "it has to be 6 n + 4, such as 16 or 28")
    if params.width < 1:
        raise UserError(f"model.width is {params.width}", "give a width of 1 or more")
    if not 0 <= params.dropout < 1:
        raise UserError(f"model.dropout is {params.dropout}", "it has to be at least 0, below 1")
    return WideResNet(input_shape[0], classes, params)
