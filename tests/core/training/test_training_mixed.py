"""Batches of real and generated samples: counted by hand, walked, drawn, refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import UserError
from core.recipe import TrainSpec
from core.training.mixed import Mixed

REAL, POOL = 30, 70
SOURCE = np.repeat(np.array([0, 1], np.uint8), (REAL, POOL))
EVERYONE = np.arange(REAL + POOL, dtype=np.int64)


def _mixed(
    ids: NDArray[np.int64] = EVERYONE, count: int = 100, seed: int = 0, **recipe: object
) -> Mixed:
    made = TrainSpec.model_validate({"epochs": "2ep", "batch": 16, **recipe})
    return Mixed(ids, SOURCE, len(SOURCE), count, made, seed, "retraining")


@pytest.mark.parametrize("replacement", [False, True])
def test_every_batch_has_the_share(replacement: bool) -> None:
    mixed = _mixed(generated_fraction=0.7, replacement=replacement)
    for epoch in range(3):
        order = mixed.order(epoch, 0.0)
        batches = [SOURCE[order[at : at + 16]] for at in range(0, 100, 16)]
        # round(0.7 * 16) = 11 and, of the last batch of 4, round(2.8) = 3
        assert [int(b.sum()) for b in batches] == [11] * 6 + [3]
        assert [len(b) for b in batches] == [16] * 6 + [4]


def test_all_of_both_groups_are_reached_in_turn() -> None:
    mixed, visits = _mixed(generated_fraction=0.7), np.zeros(100, int)
    for epoch in range(9):
        visits += np.bincount(mixed.order(epoch, 0.0), minlength=100)
        for group in (visits[:REAL], visits[REAL:]):
            assert group.max() - group.min() <= 1
    assert visits.min() >= 1
    # 9 epochs of 69 generated samples over a pool of 70; 31 of 30 real ones
    assert visits[REAL:].sum() == 9 * 69
    assert visits[:REAL].sum() == 9 * 31


def test_with_replacement_the_whole_pool_is_drawn_from() -> None:
    mixed, visits = _mixed(generated_fraction=0.7, replacement=True), np.zeros(100, int)
    for epoch in range(40):
        order = mixed.order(epoch, 0.0)
        visits += np.bincount(order, minlength=100)
        assert np.array_equal(order, mixed.order(epoch, 0.5)), "asked again it answers the same"
    assert visits[REAL:].min() >= 1, "the end of the pool too"
    assert visits[REAL:].max() - visits[REAL:].min() > 1
    assert visits[:REAL].max() - visits[:REAL].min() <= 1


def test_an_epoch_as_long_as_the_real_set_walks_on_in_the_next() -> None:
    mixed = _mixed(count=REAL, epoch="real")
    walked = np.concatenate([mixed.order(epoch, 0.0) for epoch in range(10)])
    assert len(walked) == 10 * REAL
    for turn in range(3):  # 100 samples a turn, whatever the epochs
        assert sorted(walked[100 * turn : 100 * turn + 100]) == EVERYONE.tolist()


def test_a_pruned_training_walks_the_same_way_without_the_dropped() -> None:
    kept = np.flatnonzero(np.arange(100) % 3 > 0).astype(np.int64)
    full = _mixed(generated_fraction=0.5, batch=2, count=140).order(0, 0.0)
    part = _mixed(kept, generated_fraction=0.5, batch=2, count=2 * 46).order(0, 0.0)
    pool = full[SOURCE[full] == 1][:POOL]
    assert part[SOURCE[part] == 1].tolist() == pool[np.isin(pool, kept)].tolist()


def test_seeds_differ() -> None:
    one, other = (_mixed(generated_fraction=0.5, seed=s).order(0, 0.0) for s in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("kept", "name"), [(EVERYONE[:REAL], "generated"), (EVERYONE[50:], "real")]
)
def test_a_group_that_is_gone_is_named(kept: NDArray[np.int64], name: str) -> None:
    with pytest.raises(UserError, match=f"no {name} sample is left"):
        _mixed(kept, generated_fraction=0.5)
    assert len(_mixed(kept, count=30, epoch="real").order(0, 0.0)) == 30
