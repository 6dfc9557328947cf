"""Embedding and predicting: un-augmented, repeatable, without side effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.models.base import Net
from core.models.build import build_net
from core.training import evaluate
from core.training.devices import Compute
from core.training.evaluate import embed, evaluation_batch, predict, probabilities
from core.training.feed import Feed


@pytest.fixture
def net(make_bank: Any, convnet: Any) -> Net:
    net = build_net(convnet, make_bank(), 0, "scoring")
    with torch.no_grad():  # statistics that are not those of a fresh net
        net.train()(torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    return net


def test_embeddings_are_identical_across_two_extractions(
    net: Net, make_bank: Any, compute: Compute
) -> None:
    feed = Feed(make_bank(60), compute)
    first, second = embed(net, feed), embed(net, feed)
    assert first.dtype == np.float32
    assert first.shape == (60, net.embedding_dim)
    np.testing.assert_array_equal(first, second)


def test_chosen_ids_get_the_rows_of_all(net: Net, make_bank: Any, compute: Compute) -> None:
    feed = Feed(make_bank(60), compute)
    ids = np.array([40, 2, 2, 59])
    np.testing.assert_allclose(embed(net, feed, ids), embed(net, feed)[ids], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(predict(net, feed, ids), predict(net, feed)[ids])


def test_predictions_are_the_largest_probabilities(
    net: Net, make_bank: Any, compute: Compute
) -> None:
    feed = Feed(make_bank(60), compute)
    table = probabilities(net, feed)
    np.testing.assert_allclose(table.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(predict(net, feed), table.argmax(1))
    assert predict(net, feed).dtype == np.int32


@pytest.mark.parametrize("training", [True, False])
def test_mode_statistics_and_gradients_stay(
    net: Net, make_bank: Any, compute: Compute, training: bool
) -> None:
    net.train(training)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    embed(net, Feed(make_bank(10), compute))
    assert net.training is training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_the_mode_comes_back_after_an_error(net: Net) -> None:
    net.train()
    with pytest.raises(KeyError), evaluate.evaluation_mode(net):
        raise KeyError
    assert net.training


def test_no_ids_give_empty_tables(net: Net, make_bank: Any, compute: Compute) -> None:
    feed, none = Feed(make_bank(10), compute), np.zeros(0, np.int64)
    assert embed(net, feed, none).shape == (0, net.embedding_dim)
    assert predict(net, feed, none).shape == (0,)
    assert probabilities(net, feed, none).shape == (0, 3)


def test_large_pictures_get_small_batches() -> None:
    assert evaluation_batch((1, 8, 8)) == 512
    assert 16 <= evaluation_batch((3, 224, 224)) < 32
