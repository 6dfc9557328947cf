"""Every built-in model through the kit, and what is particular to each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from core import registry
from core.errors import UserError
from core.models.build import build_net, construct, draws_random
from core.spec import ModelSpec
from core.testing.models import ModelConformance, PlainShape


@pytest.mark.parametrize("name", registry.names("model"), scope="class")
class TestBuiltIn(ModelConformance):
    @pytest.fixture(autouse=True)
    def _chosen(self, name: str) -> None:
        self.name = name
        self.params = {"width": 4} if name == "convnet" else {}
        self.input_shapes = ((1, 8, 8), (3, 32, 32)) if "resnet" not in name else ((3, 16, 16),)


def build(name: str, shape: tuple[int, ...], **params: Any) -> Any:
    spec = ModelSpec.model_validate({"name": name, **params})
    with torch.device("meta"):
        return construct(spec, PlainShape(shape))


@pytest.mark.parametrize(
    ("name", "shape", "params", "width"),
    [
        ("convnet", (3, 32, 32), {"width": 8}, 32),
        ("linear", (3, 5, 4), {}, 60),
        ("linear", (17,), {}, 17),
        ("resnet18", (3, 32, 32), {}, 512),
        ("resnet50", (3, 224, 224), {}, 2048),
    ],
)
def test_width_of_the_embedding(
    name: str, shape: tuple[int, ...], params: dict[str, Any], width: int
) -> None:
    assert build(name, shape, **params).embedding_dim == width


@pytest.mark.parametrize(("side", "small"), [(32, True), (64, True), (65, False), (224, False)])
def test_small_pictures_get_the_stem_without_downsampling(side: int, small: bool) -> None:
    net = build("resnet18", (3, side, side))
    assert net.trunk.conv1.stride == ((1, 1) if small else (2, 2))
    assert isinstance(net.trunk.maxpool, nn.Identity) == small
    maps = net.trunk.layer1(
        net.trunk.maxpool(net.trunk.conv1(torch.empty(2, 3, side, side, device="meta")))
    )
    assert maps.shape[-1] == (side if small else -(-side // 4))


def test_grey_pictures_get_a_grey_stem() -> None:
    assert build("resnet18", (1, 224, 224)).trunk.conv1.in_channels == 1


@pytest.mark.parametrize("name", ["convnet", "resnet18", "resnet50"])
def test_picture_models_refuse_vectors(name: str) -> None:
    params = {"width": 4} if name == "convnet" else {}
    with pytest.raises(UserError, match="use model 'linear'"):
        build(name, (12,), **params)


def test_tiny_pictures_and_widths_are_refused() -> None:
    with pytest.raises(UserError, match="at least 4x4"):
        build("convnet", (1, 3, 8), width=4)
    with pytest.raises(UserError, match="width"):
        build("convnet", (1, 8, 8), width=0)


def test_weights_are_channels_last() -> None:
    spec = ModelSpec.model_validate({"name": "convnet", "width": 4})
    net = build_net(spec, PlainShape((3, 32, 32)), 0, "scoring")
    kernels = [p for p in net.parameters() if p.dim() == 4]
    assert all(k.is_contiguous(memory_format=torch.channels_last) for k in kernels)


def test_dropout_is_noticed() -> None:
    assert draws_random(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)))
    assert not draws_random(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))


def test_a_net_without_a_linear_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    linear: Any = registry.load("model", "linear")
    monkeypatch.setattr(linear, "build", lambda *_: nn.Linear(2, 2))
    with pytest.raises(UserError, match="no linear `head`"):
        construct(ModelSpec.model_validate({"name": "linear"}), PlainShape((2,)))
