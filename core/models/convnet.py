"""A small convolutional net: three conv-bn-relu blocks and global average pooling."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from core.errors import UserError
from core.models.base import Net


@dataclass(frozen=True)
class Params:
    """Options of the small convolutional net."""

    width: int = 32
    """Channels of the first block; the embedding has 4 x width features."""


class ConvNet(Net):
    """Blocks of width w, 2w, 4w; the first two halve the picture, the last is averaged over it."""

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *_block(channels, width, nn.MaxPool2d(2)),
            *_block(width, 2 * width, nn.MaxPool2d(2)),
            *_block(2 * width, 4 * width),
        )
        self.head = nn.Linear(4 * width, classes)

    def features(self, x: Tensor) -> Tensor:
        """Embedding ``[B, 4 width]`` of pictures ``[B, C, H, W]``."""
        maps: Tensor = self.blocks(x)
        return maps.mean((2, 3))


def _block(inputs: int, outputs: int, *pool: nn.Module) -> tuple[nn.Module, ...]:
    # The batch norm that follows makes a bias of the convolution pointless. Pooling in front of the
    # ReLU gives the same maxima with a quarter of the work.
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        *pool,
        nn.ReLU(inplace=True),
    )


def build(input_shape: tuple[int, ...], classes: int, params: Params) -> Net:
    """The net for pictures ``(C, H, W)`` of at least 4 x 4. Other inputs raise UserError."""
    if len(input_shape) != 3:
        raise UserError(
            f"model 'convnet' needs pictures, the data are vectors of {input_shape[0]} numbers",
            "use model 'linear'",
        )
    if min(input_shape[1:]) < 4:
        raise UserError(f"model 'convnet' needs pictures of at least 4x4, not {input_shape[1:]}")
    if params.width < 1:
        raise UserError(f"model.width is {params.width}", "give a width of 1 or more")
    return ConvNet(input_shape[0], classes, params.width)
