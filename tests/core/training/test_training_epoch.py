"""Order of an epoch and its batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from core.training.augment import parse_augment
from core.training.devices import Compute
from core.training.epoch import epoch_order, training_batches
from core.training.feed import Feed


def test_a_pruned_run_walks_the_full_order_minus_the_dropped() -> None:
    full = epoch_order(np.arange(200), 200, 0, "retraining", 4)
    kept = np.sort(np.random.default_rng(1).permutation(200)[:60])
    pruned = epoch_order(kept, 200, 0, "retraining", 4)
    assert pruned.tolist() == [i for i in full.tolist() if i in set(kept.tolist())]


def test_every_sample_comes_once_and_epochs_differ() -> None:
    first, second = (epoch_order(np.arange(50), 50, 0, "scoring", e) for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()


def batches(feed: Feed, order: np.ndarray, start: int = 0) -> list[Any]:
    augment = parse_augment(("crop", "flip"), feed.input_shape, feed.device)
    return list(
        training_batches(feed, order, 16, augment, seed=0, role="scoring", epoch=2, start=start)
    )


def test_the_last_partial_batch_is_kept_and_targets_belong_to_ids(
    make_bank: Any, compute: Compute
) -> None:
    bank = make_bank(50)
    order = epoch_order(np.arange(50), 50, 0, "scoring", 2)
    found = batches(Feed(bank, compute), order)
    assert [len(b.ids) for b in found] == [16, 16, 16, 2]
    assert torch.cat([b.ids for b in found]).tolist() == order.tolist()
    for batch in found:
        np.testing.assert_array_equal(batch.y.numpy(), bank.targets[batch.ids.numpy()])
        np.testing.assert_array_equal(batch.raw.numpy(), bank.inputs[batch.ids.numpy()])


def test_starting_inside_an_epoch_gives_its_remaining_batches(
    make_bank: Any, compute: Compute
) -> None:
    feed = Feed(make_bank(50), compute)
    order = epoch_order(np.arange(50), 50, 0, "scoring", 2)
    for whole, late in zip(batches(feed, order)[2:], batches(feed, order, 32), strict=True):
        assert torch.equal(whole.x, late.x)
        assert torch.equal(whole.ids, late.ids)


def test_a_kept_sample_looks_the_same_in_a_pruned_run(make_bank: Any, compute: Compute) -> None:
    feed = Feed(make_bank(50), compute)
    seen = []
    for ids in (np.arange(50), np.arange(0, 50, 3)):
        found = batches(feed, epoch_order(ids, 50, 0, "scoring", 2))
        seen.append({int(i): x for b in found for i, x in zip(b.ids, b.x, strict=True)})
    full, pruned = seen
    assert all(torch.equal(full[i], x) for i, x in pruned.items())
