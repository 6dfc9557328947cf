"""Feeds: normalisation, order, and that streaming gives what residency gives."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from core.training.devices import Compute
from core.training.feed import Feed


def test_pictures_are_normalised_per_channel_and_channels_last(
    make_bank: Any, compute: Compute
) -> None:
    bank = make_bank(6, side=8, channels=3)
    raw = next(Feed(bank, compute).raw_batches(None, 6))
    x = Feed(bank, compute).normalise(raw)
    expected = (bank.inputs / 255 - np.array(bank.mean)) / np.array(bank.std)
    np.testing.assert_allclose(x.numpy(), expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_vectors_are_normalised_per_feature(make_vectors: Any, compute: Compute) -> None:
    bank = make_vectors(7)
    feed = Feed(bank, compute)
    x = feed.normalise(next(feed.raw_batches(None, 7)))
    expected = (bank.inputs - np.array(bank.mean)) / np.array(bank.std)
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("start", [0, 8, 24])
@pytest.mark.parametrize("whole", [True, False])
def test_streaming_gives_what_residency_gives(
    make_bank: Any, compute: Compute, start: int, whole: bool
) -> None:
    bank = make_bank(30)
    ids = None if whole else np.random.default_rng(0).permutation(30)[:27]
    batches = [
        list(Feed(bank, compute, resident).raw_batches(ids, 8, start)) for resident in (True, False)
    ]
    assert [len(b) for b in batches[0]] == [len(b) for b in batches[1]]
    assert torch.equal(torch.cat(batches[0]), torch.cat(batches[1]))
    wanted = (np.arange(30) if ids is None else ids)[start:]
    np.testing.assert_array_equal(torch.cat(batches[0]).numpy(), bank.inputs[wanted])


def test_a_stream_that_is_left_ends_its_thread(make_bank: Any, compute: Compute) -> None:
    stream = Feed(make_bank(300), compute, resident=False).raw_batches(None, 1)
    next(stream)
    assert any(t.name == "feed" for t in threading.enumerate())
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert not any(t.name == "feed" for t in threading.enumerate())


def test_an_error_while_streaming_reaches_the_reader(make_bank: Any, compute: Compute) -> None:
    stream = Feed(make_bank(10), compute, resident=False).raw_batches(np.array([2, 99]), 1)
    next(stream)
    with pytest.raises(IndexError):
        next(stream)


def test_targets_do_not_alias_the_bank(make_bank: Any, compute: Compute) -> None:
    bank = make_bank(5)
    before = bank.targets.copy()
    Feed(bank, compute).targets.zero_()
    np.testing.assert_array_equal(bank.targets, before)
