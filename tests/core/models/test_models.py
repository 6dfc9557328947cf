"""Every built-in model through the kit, and what is particular to each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from core import registry
from core.errors import UserError
from core.models.build import build_net, construct, draws_random
from core.rng import derive
from core.spec import ModelSpec
from core.testing.models import ModelConformance, PlainShape

_SMALL: dict[str, dict[str, Any]] = {
    "convnet": {"width": 4},
    "torchvision": {"arch": "shufflenet_v2_x0_5"},
    "wide_resnet28_10": {"depth": 10, "width": 1, "activation": "silu"},
}
_ONE = ((3, 16, 16),)
_SHAPES = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50"), _ONE),
    "torchvision": ((1, 32, 32),),
}


@pytest.mark.parametrize("name", registry.names("model"), scope="class")
class TestBuiltIn(ModelConformance):
    @pytest.fixture(autouse=True)
    def _chosen(self, name: str) -> None:
        self.name = name
        self.params = _SMALL.get(name, {})
        self.input_shapes = _SHAPES.get(name, ((1, 8, 8), (3, 32, 32)))


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
        ("resnet34", (3, 32, 32), {}, 512),
        ("resnet50", (3, 224, 224), {}, 2048),
        ("wide_resnet28_10", (3, 32, 32), {}, 640),
        ("wide_resnet28_10", (1, 32, 32), {"depth": 16, "width": 4}, 256),
        ("torchvision", (3, 64, 64), {"arch": "vit_b_16"}, 768),
        ("torchvision", (1, 32, 32), {"arch": "regnet_y_400mf"}, 440),
        ("torchvision", (3, 32, 32), {"arch": "swin_t"}, 768),
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


@pytest.mark.parametrize("name", sorted(set(registry.names("model")) - {"linear"}))
def test_picture_models_refuse_vectors(name: str) -> None:
    params = _SMALL.get(name, {})
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


def test_wide_resnet_has_its_published_size() -> None:
    """36.5 million weights with ten classes (1605.07146, table 2)."""
    spec = ModelSpec.model_validate({"name": "wide_resnet28_10"})
    with torch.device("meta"):
        net = construct(spec, PlainShape((3, 32, 32), tuple("0123456789")))
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == 36.5
    convolutions = [
        m for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)
    ]
    assert len(convolutions) == 25  # 28 with the three shortcuts that change the width
    assert not [m for m in net.modules() if isinstance(m, nn.SiLU)]


def test_options_of_the_wide_resnet() -> None:
    net = build("wide_resnet28_10", (3, 32, 32), width=1, activation="silu", dropout=0.3)
    assert not [m for m in net.modules() if isinstance(m, nn.ReLU)]
    assert draws_random(net)
    for wrong in ({"depth": 27}, {"width": 0}, {"dropout": 1.0}):
        with pytest.raises(UserError, match=f"model.{next(iter(wrong))} is"):
            build("wide_resnet28_10", (3, 32, 32), **wrong)


@pytest.mark.parametrize(
    ("arch", "said"),
    [
        ("resnet81", "did you mean 'resnet18'"),
        ("squeezenet1_0", "no linear classifier"),
        ("alexnet", "alexnet cannot take 32x32 pictures .*; set data.size"),
    ],
)
def test_what_torchvision_cannot_do_is_said(arch: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build("torchvision", (3, 32, 32), arch=arch)


def test_torchvision_nets_are_cut_and_not_changed() -> None:
    from torchvision.models import get_model

    spec = ModelSpec.model_validate({"name": "torchvision", "arch": "shufflenet_v2_x0_5"})
    net = build_net(spec, PlainShape((3, 32, 32)), 3, "scoring").eval()
    with torch.random.fork_rng():
        torch.manual_seed(derive(3, "scoring", "init"))
        whole = get_model("shufflenet_v2_x0_5", weights=None, num_classes=5).eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(net(x), whole(x))
