"""AutoAttack against the exact robust accuracy of a linear net, and without its package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.attacks import auto
from core.attacks.ball import Ball
from core.attacks.pgd import Pgd
from core.data.bank import SampleBank
from core.errors import MachineError, UserError
from core.models.linear import Linear
from core.training.devices import Compute
from core.training.feed import Feed

N, CLASSES, RADIUS = 24, 4, 0.06


def exact(net: Linear, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Class by class the smallest lead of the right class over the box: each pixel at its worse
    end. ``x`` ``[n, D]`` pixels; the net sees them as they are (mean 0, deviation 1)."""
    w, b = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    low, high = np.clip(x - RADIUS, 0, 1), np.clip(x + RADIUS, 0, 1)
    held = np.ones(len(x), bool)
    for i, label in enumerate(y):
        for other in set(range(CLASSES)) - {label}:
            d = w[label] - w[other]
            lead = np.minimum(d * low[i], d * high[i]).sum() + b[label] - b[other]
            held[i] &= lead > 0
    return held


def test_against_a_linear_net_it_is_exact() -> None:
    pytest.importorskip(auto.PACKAGE)
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (N, 5, 5, 1), dtype=np.uint8)
    torch.manual_seed(0)
    net = Linear(25, CLASSES)
    x = inputs.reshape(N, 25) / 255
    with torch.no_grad():
        targets = net.head(torch.from_numpy(x).float()).argmax(1).numpy()
    bank = SampleBank(inputs, targets, tuple("abcd"), (0.0,), (1.0,), "made up")
    feed = Feed(bank, Compute(torch.device("cpu"), "fp32", 1, True))
    expected = exact(net, x, targets)
    assert 0.1 < expected.mean() < 0.9
    state = torch.random.get_rng_state()
    held = auto.withstood(net, feed, Ball("linf", RADIUS), np.arange(N))
    assert np.array_equal(held, expected)
    assert torch.equal(torch.random.get_rng_state(), state)


class Steps(Linear):
    """The linear net behind steps of a quarter: no gradient comes through them."""

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return torch.round(super().features(x) * 4) / 4


def test_square_sees_what_masked_gradients_hide() -> None:
    """PGD stays where it starts, Square needs no gradients; of the plain net it finds nothing."""
    pytest.importorskip(auto.PACKAGE)
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (N, 5, 5, 1), dtype=np.uint8)
    ball = Ball("linf", 0.25)
    found = {}
    for kind in (Linear, Steps):
        torch.manual_seed(0)
        net = kind(25, CLASSES)
        with torch.no_grad():
            x = torch.from_numpy(inputs.reshape(N, 25) / 255).float()
            targets = net.head(net.features(x)).argmax(1).numpy()
        bank = SampleBank(inputs, targets, tuple("abcd"), (0.0,), (1.0,), "made up")
        feed = Feed(bank, Compute(torch.device("cpu"), "fp32", 1, True))
        fooled = auto.square_alone(net, feed, ball, Pgd(ball, 20, 0.06), np.arange(N))
        found[kind] = float(fooled.mean())
    assert found[Linear] <= 0.05
    assert found[Steps] > 0.3
    assert not len(auto.square_alone(net, feed, ball, Pgd(ball, 2, 0.1), np.arange(0)))


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "PACKAGE", "no_such_package")
    with pytest.raises(MachineError, match="not installed"):
        auto.check(10)
    monkeypatch.setattr(auto, "PACKAGE", "json")
    with pytest.raises(UserError, match="4 classes"):
        auto.check(3)


def test_every_net_meets_the_same_samples() -> None:
    ids = auto.chosen(50, 10)
    assert np.array_equal(ids, auto.chosen(50, 10))
    assert len(set(ids.tolist())) == 10
    assert not np.array_equal(ids, np.arange(10))
    assert np.array_equal(auto.chosen(5, 10), np.arange(5))
