"""A user's own function as a model, and weights from a local file."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from play import Player
from torch import nn

from core import registry
from core.errors import UserError
from core.models.build import build_net, identity
from core.models.weights import load_weights
from core.spec import ModelSpec, Spec
from core.spec_load import SpecError
from core.testing.models import PlainShape

_SOURCE = '''
"""Nets of a user's own."""

from dataclasses import dataclass

from torch import nn

WAS_IMPORTED = True


@dataclass(frozen=True)
class Params:
    """Options."""

    hidden: int = 6
    """Hidden units."""


def plain(input_shape, classes, params):
    size = input_shape[0] * input_shape[1] * input_shape[2]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size, params.hidden), nn.ReLU(), nn.Linear(params.hidden, classes)
    )


def upside_down(input_shape, classes, params):
    net = nn.Sequential()
    net.head2 = nn.Linear(params.hidden, classes)
    net.body = nn.Linear(input_shape[0], params.hidden)
    net.forward = lambda x: net.head2(net.body(x.mean((2, 3))))
    return net


def softmaxed(input_shape, classes, params):
    return nn.Sequential(*plain(input_shape, classes, params), nn.Softmax(1))


def nothing(input_shape, classes, params):
    return None


LATER = plain
'''
SHAPE = PlainShape((1, 8, 8), tuple("0123456789"))


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "their_nets").mkdir()
    (folder / "their_nets" / "__init__.py").write_text("raise ImportError('looked at only')")
    (folder / "their_nets" / "mlp.py").write_text(_SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        importlib.invalidate_caches()
        yield folder
    for name in ("their_nets", "their_nets.mlp"):
        sys.modules.pop(name, None)


@pytest.fixture
def importable(package: Path) -> None:
    (package / "their_nets" / "__init__.py").write_text("")


def _spec(name: str, **more: Any) -> ModelSpec:
    given = {k: v for k, v in more.items() if k != "weights"}
    options = registry.validate_params("model", name, given)
    return ModelSpec.model_validate({"name": name, **options, **more})


def test_it_is_described_without_being_imported(make_spec: Callable[..., Spec]) -> None:
    spec = make_spec(model={"name": "their_nets.mlp:plain"})
    assert spec.model.params == {"hidden": 6}
    assert "their_nets" not in sys.modules
    with pytest.raises(SpecError, match="model.hiden: no such key; did you mean 'hidden'"):
        make_spec(model={"name": "their_nets.mlp:plain", "hiden": 3})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("their_nets.mlp:plane", "their_nets.mlp has no function 'plane'; did you mean 'plain'"),
        ("their_nets.cnn:plain", "no module their_nets.cnn; install the package it is in"),
        ("nobodys.mlp:plain", "there is no module nobodys.mlp"),
        ("their_nets/mlp.py:plain", "no model is called"),
    ],
)
def test_what_is_not_there_is_said(make_spec: Callable[..., Spec], name: str, said: str) -> None:
    with pytest.raises(SpecError, match=f"model.name: .*{said}"):
        make_spec(model={"name": name})


def test_a_file_beside_the_preset_is_not_looked_at(
    make_spec: Callable[..., Spec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside.py").write_text(_SOURCE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="there is no module beside"):
        make_spec(model={"name": "beside:plain"})


@pytest.mark.usefixtures("importable")
def test_a_plain_net_is_cut_and_computes_the_same() -> None:
    net = build_net(_spec("their_nets.mlp:plain", hidden=5), SHAPE, 0, "scoring")
    assert (net.embedding_dim, net.head.out_features) == (5, 10)
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(net(x), net.head(net.features(x)))
    assert isinstance(build_net(_spec("their_nets.mlp:LATER"), SHAPE, 0, "scoring"), nn.Module)


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("upside_down", "ends in 6 outputs for 10 classes|more than features"),
        ("softmaxed", "more than features with a linear classifier on top"),
        ("nothing", "gave NoneType"),
    ],
)
def test_nets_that_cannot_be_cut_are_refused(function: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_net(_spec(f"their_nets.mlp:{function}"), SHAPE, 0, "scoring")


@pytest.fixture
def small() -> Any:
    return lambda seed=0, **more: build_net(
        _spec("convnet", width=4, **more), PlainShape((1, 8, 8)), seed, "scoring"
    )


def test_weights_of_a_file_are_those_of_the_net(small: Any, tmp_path: Path) -> None:
    torch.save(small(1).state_dict(), tmp_path / "w.pt")
    net = small(0, weights=tmp_path / "w.pt")
    for ours, theirs in zip(net.state_dict().values(), small(1).state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    torch.save({"state_dict": small(1).state_dict(), "epoch": 3}, tmp_path / "wrapped.pt")
    assert torch.equal(small(0, weights=tmp_path / "wrapped.pt").head.weight, net.head.weight)


def test_a_head_for_other_classes_is_drawn_anew(small: Any, tmp_path: Path) -> None:
    other = build_net(_spec("convnet", width=4), SHAPE, 1, "scoring")  # ten classes, not five
    torch.save(other.state_dict(), tmp_path / "w.pt")
    net = small(0, weights=tmp_path / "w.pt")
    assert torch.equal(net.head.weight, small(0).head.weight)
    assert torch.equal(net.blocks[0].weight, other.blocks[0].weight)  # type: ignore[index]  # a Sequential behind a Module


def test_torchvisions_names_are_understood(tmp_path: Path) -> None:
    from torchvision.models import resnet18

    torch.save(resnet18(weights=None).state_dict(), tmp_path / "imagenet.pth")
    spec = _spec("resnet18", weights=tmp_path / "imagenet.pth")
    net = build_net(spec, PlainShape((3, 80, 80)), 0, "scoring")
    saved = torch.load(tmp_path / "imagenet.pth", weights_only=True)
    assert torch.equal(
        net.state_dict()["trunk.layer1.0.conv1.weight"], saved["layer1.0.conv1.weight"]
    )
    small = PlainShape((3, 32, 32))
    with pytest.raises(
        UserError, match=r"does not fit .*: trunk.conv1.weight is \[64, 3, 7, 7\], not"
    ):
        build_net(spec, small, 0, "scoring")


def _without(state: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in state.items() if k != key}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: _without(s, "blocks.0.weight"), "it lacks blocks.0.weight; give weights of"),
        (lambda s: {**s, "more.weight": torch.ones(2)}, "has no more.weight"),
        (
            lambda s: {**s, "blocks.0.weight": torch.ones(3, 1, 3, 3)},
            r"blocks.0.weight is \[3, 1, 3, 3\], not \[4, 1, 3, 3\]",
        ),
        (lambda s: [1, 2], "no mapping of names to tensors"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    small: Any, tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    torch.save(change(small().state_dict()), tmp_path / "w.pt")
    with pytest.raises(UserError, match=said) as caught:
        small(weights=tmp_path / "w.pt")
    assert "\n" not in str(caught.value)


class _Trap:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("how", ["torch", "pickle", "text"])
def test_no_code_in_a_file_is_run(small: Any, tmp_path: Path, how: str) -> None:
    file, marker = tmp_path / "w.pt", tmp_path / "ran"
    if how == "torch":
        torch.save({"head.weight": _Trap(marker)}, file)
    else:
        file.write_bytes(
            pickle.dumps(_Trap(marker), protocol=2) if how == "pickle" else b"not a net"
        )
    with pytest.raises(UserError, match="holds no plain tensors, or is damaged"):
        load_weights(small(), file, "convnet")
    assert not marker.exists()


def test_the_bytes_count_and_not_the_place(small: Any, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        torch.save(small(seed).state_dict(), tmp_path / name / "w.pt")
    found = [identity(_spec("convnet", width=4, weights=tmp_path / n / "w.pt")) for n in "abc"]
    assert found[0] == found[1] != found[2]
    assert found[0] != identity(_spec("convnet", width=4))
    with pytest.raises(UserError, match="there is no weights file .*nowhere.pt; give"):
        identity(_spec("convnet", width=4, weights=tmp_path / "nowhere.pt"))


@pytest.mark.usefixtures("importable")
def test_a_run_with_own_model_and_weights(make_spec: Callable[..., Spec], tmp_path: Path) -> None:
    """Weights that already solve it make the untrained run good: they were really used."""
    threads = torch.get_num_threads()
    common: dict[str, Any] = {
        "prune": {"rates": [0.5]}, "baselines": ["full"], "train": {"epochs": "1ep"},
        "score": {"name": "el2n", "preset": "ccs", "epoch": 0, "span": 1},
        "retrain": {"epochs": "3ep"},
        "compute": {"keep_models": "all"},
    }  # fmt: skip
    player = Player(tmp_path)
    trained = player.play(make_spec(model={"name": "their_nets.mlp:plain", "hidden": 16}, **common))
    weights = trained.run.path / "models" / "s0-full-none-r0.0000.pt"
    model = {"name": "their_nets.mlp:plain", "hidden": 16, "weights": str(weights)}
    gently = {"epochs": "1st", "optimizer": {"lr": 1e-6}}
    again = player.play(make_spec(**{**common, "model": model, "retrain": gently}))
    torch.set_num_threads(threads)
    reached = [s.trials("full")[0]["metrics"]["test_accuracy"] for s in (trained, again)]
    assert reached[0] > 0.6
    assert np.isclose(reached[1], reached[0], atol=0.02)
