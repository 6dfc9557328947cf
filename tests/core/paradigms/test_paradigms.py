"""The supervised paradigm."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from core.data.bank import SampleBank
from core.models.base import Net
from core.models.linear import Linear
from core.paradigms import supervised
from core.recipe import TrainSpec
from core.training.devices import Compute
from core.training.feed import Feed


@pytest.fixture
def net() -> Net:
    """Passes a two-number input on as its two logits."""
    net = Linear(2, 2)
    with torch.no_grad():
        net.head.weight.copy_(torch.eye(2))
        net.head.bias.zero_()
    return net


def paradigm(smoothing: float = 0.0) -> supervised.Supervised:
    recipe = TrainSpec.model_validate({"epochs": "1ep", "label_smoothing": smoothing})
    return supervised.make(supervised.Params(), recipe)


def test_the_loss_is_the_mean_cross_entropy(net: Net) -> None:
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    out = paradigm().step(net, x, torch.tensor([0, 0]))
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
    assert out.loss.item() == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(out.logits, x)
    torch.testing.assert_close(out.features, x)


def test_smoothing_spreads_a_share_over_all_classes(net: Net) -> None:
    x = torch.tensor([[2.0, 0.0]])
    out = paradigm(0.2).step(net, x, torch.tensor([0]))
    own, other = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert out.loss.item() == pytest.approx(0.9 * own + 0.1 * other, rel=1e-6)


def bank(targets: np.ndarray) -> SampleBank:
    """Every sample looks like class 0."""
    inputs = np.tile(np.array([[1, 0]], np.float32), (len(targets), 1))
    return SampleBank(inputs, targets, ("a", "b"), (0.0, 0.0), (1.0, 1.0), "made up")


def test_accuracy_weighs_every_sample_alike(net: Net) -> None:
    """A mean of batch means would not: 513 samples are a full batch and a batch of one."""
    targets = np.zeros(513, np.int64)
    targets[:100] = 1
    feed = Feed(bank(targets), Compute(torch.device("cpu"), "fp32", 1, True))
    metrics, predictions = paradigm().evaluate(net, feed)
    assert metrics == {"accuracy": 413 / 513}
    assert predictions.tolist() == [0] * 513
    metrics, predictions = paradigm().evaluate(net, feed, np.array([0, 1, 512]))
    assert metrics == {"accuracy": 1 / 3}
    assert predictions.shape == (3,)
