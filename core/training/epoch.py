"""One epoch of training batches: which samples, in which order, augmented how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.rng import generator
from core.training.augment import Augment
from core.training.feed import Feed


class TrainBatch(NamedTuple):
    """``x``: network input, augmented. ``y``: targets int64 ``[B]``. ``ids``: sample ids int64
    ``[B]``. ``raw``: the un-augmented inputs. All on the device."""

    x: Tensor
    y: Tensor
    ids: Tensor
    raw: Tensor


def epoch_order(
    ids: NDArray[np.int64], n_total: int, seed: int, role: str, epoch: int
) -> NDArray[np.int64]:
    """The epoch's order of ``ids``: one permutation of all ``n_total`` samples, the others left
    out, so a pruned run walks the full run's order minus the dropped samples."""
    permutation = generator(seed, role, "order", epoch).permutation(n_total)
    chosen = np.zeros(n_total, dtype=bool)
    chosen[ids] = True
    return permutation[chosen[permutation]].astype(np.int64, copy=False)


def training_batches(
    feed: Feed,
    order: NDArray[np.int64],
    batch: int,
    augment: Augment | None,
    *,
    seed: int,
    role: str,
    epoch: int,
    start: int = 0,
) -> Iterator[TrainBatch]:
    """The batches of one epoch from position ``start`` of ``order`` on; the last may be smaller."""
    ids = torch.from_numpy(order).to(feed.device)
    targets = feed.targets.index_select(0, ids)
    draws = augment.draw(order, len(feed), seed, role, epoch) if augment else None
    for at, raw in zip(
        range(start, len(order), batch), feed.raw_batches(order, batch, start), strict=True
    ):
        stop = at + len(raw)
        if augment and draws:
            drawn = draws.slice(at, stop)
            x = augment.cut(feed.normalise(augment.move(raw, drawn)), drawn)
        else:
            x = feed.normalise(raw)
        yield TrainBatch(x, targets[at:stop], ids[at:stop], raw)
