"""Balls, attacks and their losses, against sums done by hand and slow loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.attacks.ball import Ball
from core.attacks.losses import cross_entropy, divergence, margin
from core.attacks.pgd import Pgd
from core.attacks.pixels import Pixels, frozen_statistics
from core.data.bank import SampleBank
from core.errors import UserError
from core.training.devices import Compute
from core.training.feed import Feed


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 6, seed: int = 1) -> Tensor:
    return torch.rand((n, 1, 4, 4), generator=draws(seed))


def test_linf_projects_into_the_cube_and_into_the_range_of_pixels() -> None:
    x = torch.tensor([[0.1, 0.5, 0.95]])
    moved = Ball("linf", 0.2).project(x, torch.tensor([[-1.0, 0.9, 2.0]]))
    torch.testing.assert_close(moved, torch.tensor([[0.0, 0.7, 1.0]]))


def test_l2_projects_along_the_line_to_the_picture() -> None:
    x = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    moved = Ball("l2", 0.1).project(x, torch.tensor([[0.8, 0.9], [0.53, 0.54]]))
    torch.testing.assert_close(moved, torch.tensor([[0.56, 0.58], [0.53, 0.54]]))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_fill_the_ball_and_repeat(norm: Any) -> None:
    ball, x = Ball(norm, 0.3), torch.full((400, 1, 4, 4), 0.5)
    found = ball.start(x, draws())
    distance = ball.distance(x, found)
    assert distance.max() <= 0.3 + 1e-6
    assert distance.max() > 0.28
    assert abs((found - x).mean()) < 0.01
    assert torch.equal(found, ball.start(x, draws()))
    assert not torch.equal(found, ball.start(x, draws(1)))


def test_a_step_goes_along_the_sign_or_along_the_gradient() -> None:
    x, gradient = torch.full((1, 2), 0.5), torch.tensor([[3.0, -4.0]])
    linf = Ball("linf", 0.5).ascend(x, x, gradient, 0.1)
    torch.testing.assert_close(linf, torch.tensor([[0.6, 0.4]]))
    l2 = Ball("l2", 0.5).ascend(x, x, gradient, 0.1)
    torch.testing.assert_close(l2, torch.tensor([[0.56, 0.42]]))
    still = Ball("l2", 0.5).ascend(x, x, torch.zeros_like(x), 0.1)
    torch.testing.assert_close(still, x)


def test_losses_equal_slow_loops() -> None:
    logits, clean = torch.randn((5, 4), generator=draws()), torch.randn((5, 4), generator=draws(1))
    targets = torch.tensor([0, 3, 1, 1, 2])
    p, q = logits.double().softmax(1).numpy(), clean.double().softmax(1).numpy()
    for row, own in enumerate(targets.tolist()):
        wrong = max(float(logits[row, c]) for c in range(4) if c != own)
        apart = sum(q[row, c] * (np.log(q[row, c]) - np.log(p[row, c])) for c in range(4))
        assert margin(targets)(logits)[row] == pytest.approx(wrong - float(logits[row, own]))
        assert cross_entropy(targets)(logits)[row] == pytest.approx(-np.log(p[row, own]), rel=1e-5)
        assert divergence(clean)(logits)[row] == pytest.approx(apart, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("loss", [cross_entropy, margin])
def test_against_a_linear_net_the_best_corner_is_found(loss: Any) -> None:
    """Two classes: the worst picture moves every pixel against the difference of the weights."""
    weights = torch.randn((2, 16), generator=draws())
    x, y = pictures(), torch.tensor([0, 1, 0, 1, 1, 0])
    found = Pgd(Ball("linf", 0.1), 10, 0.05)(
        lambda p: p.flatten(1) @ weights.T, loss(y), x, draws()
    )
    towards = (weights[1] - weights[0]).sign() * torch.where(y == 0, 1.0, -1.0)[:, None]
    expected = (x.flatten(1) + 0.1 * towards).clamp(0, 1).view_as(x)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad


def test_more_starts_never_find_less() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 30), nn.Tanh(), nn.Linear(30, 3))
    x, y = pictures(40), torch.arange(40) % 3
    loss, ball = cross_entropy(y), Ball("l2", 0.3)
    one = loss(net(Pgd(ball, 2, 0.05)(net, loss, x, draws())))
    many = loss(net(Pgd(ball, 2, 0.05, restarts=5)(net, loss, x, draws())))
    assert bool((many >= one - 1e-6).all())
    assert many.sum() > one.sum()
    assert all(p.grad is None for p in net.parameters())


def test_an_attack_leaves_batch_norm_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    net.train()
    x, y = pictures(), torch.tensor([0, 1, 0, 1, 1, 0])
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with frozen_statistics(net):
        frozen = net(x)
        Pgd(Ball("linf", 0.1), 3, 0.05)(net, cross_entropy(y), x, draws())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    torch.testing.assert_close(net(x), frozen)  # normalised by the batch, as in training
    assert not torch.equal(net[1].running_mean, before["1.running_mean"])


def feed(inputs: np.ndarray[Any, Any], channels: int = 2) -> Feed:
    targets = np.zeros(len(inputs), np.int64)
    mean, std = (0.3,) * channels, (0.2, 0.4)[:channels]
    bank = SampleBank(inputs, targets, ("a", "b"), mean, std, "made up")
    return Feed(bank, Compute(torch.device("cpu"), "fp32", 1, True))


def test_pixels_and_inputs_are_one_another() -> None:
    raw = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 2), dtype=np.uint8)
    source = feed(raw)
    x = source.normalise(torch.from_numpy(raw))
    pixels = Pixels(source).pixels(x)
    torch.testing.assert_close(pixels, torch.from_numpy(raw).permute(0, 3, 1, 2) / 255)
    torch.testing.assert_close(Pixels(source).inputs(pixels), x, atol=1e-5, rtol=1e-5)


def test_vectors_have_no_ball_of_pixels() -> None:
    with pytest.raises(UserError, match="vectors"):
        Pixels(feed(np.zeros((3, 2), np.float32)))


@pytest.mark.parametrize("given", [{"steps": 0}, {"step": 0.0}, {"restarts": 0}])
def test_impossible_attacks_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Pgd(**{"ball": Ball("linf", 0.1), "steps": 1, "step": 0.1, **given})
    with pytest.raises(UserError, match="radius"):
        Ball("linf", 0.0)
