"""Samplers: who is visited how often, unbiased losses, equal cost, and a resume bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import Stopped, UserError
from core.models.build import build_net
from core.paradigms.supervised import Supervised
from core.recipe import TrainSpec
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.feed import Feed
from core.training.infobatch import FIRST_LOSS, InfoBatch
from core.training.loop import train
from core.training.mixed import Mixed
from core.training.rs2 import RepeatedRandom
from core.training.sampler import Sampler

CPU = torch.device("cpu")


@pytest.mark.parametrize(("total", "count"), [(100, 30), (100, 100), (7, 5), (1258, 252)])
def test_rs2_visits_differ_by_at_most_one(total: int, count: int) -> None:
    sampler = RepeatedRandom(total, count, 1 - count / total, 0, "retraining")
    visits = np.zeros(total, dtype=int)
    for epoch in range(23):
        order = sampler.order(epoch, 0.0)
        assert len(order) == count
        visits += np.bincount(order, minlength=total)
        assert visits.max() - visits.min() <= 1
    assert visits.sum() == 23 * count


def test_rs2_epochs_are_fresh_and_repeatable() -> None:
    first, again = (RepeatedRandom(60, 20, 2 / 3, 4, "retraining") for _ in range(2))
    orders = [first.order(e, 0.0).tolist() for e in range(4)]
    assert [again.order(e, 0.0).tolist() for e in (3, 0)] == [orders[3], orders[0]]
    assert sorted(orders[0]) != sorted(orders[1])
    assert orders[0] != RepeatedRandom(60, 20, 2 / 3, 5, "retraining").order(0, 0.0).tolist()


def losses_of(sampler: InfoBatch, values: np.ndarray[Any, Any]) -> None:
    sampler._losses.copy_(torch.from_numpy(values))


def test_infobatch_expects_the_full_loss() -> None:
    """Over many passes the weighted sum of losses is that of all samples; fewer are shown."""
    values = np.random.default_rng(0).exponential(size=400).astype(np.float32)
    learned = values < values.mean()
    sampler = InfoBatch(400, 100, 0.5, 0, "retraining", CPU)
    losses_of(sampler, values)
    sums, shown = [], np.zeros(400)
    for _ in range(400):
        ids, weights = sampler._next_pass(0.0)
        assert len(np.unique(ids)) == len(ids)
        assert set(np.flatnonzero(~learned)) <= set(ids.tolist())
        np.testing.assert_array_equal(weights, np.where(learned[ids], 2.0, 1.0))
        sums.append(float((values[ids] * weights).sum()))
        shown += np.bincount(ids, minlength=400) / 400
    assert np.mean(sums) == pytest.approx(values.sum(), rel=0.01)
    np.testing.assert_allclose(shown[learned], 0.5, atol=0.12)
    assert shown.mean() > 0.5  # it prunes less than its rate


def test_infobatch_shows_everybody_at_first_and_in_the_end() -> None:
    sampler = InfoBatch(50, 25, 0.5, 0, "retraining", CPU)
    assert float(sampler._losses[0]) == FIRST_LOSS
    ids, weights = sampler._next_pass(0.0)  # no loss known: nobody is below the mean
    assert sorted(ids.tolist()) == list(range(50)) and (weights == 1).all()
    losses_of(sampler, np.arange(50, dtype=np.float32))
    assert len(sampler._next_pass(0.5)[0]) < 50
    ids, weights = sampler._next_pass(0.9)
    assert sorted(ids.tolist()) == list(range(50)) and (weights == 1).all()


def test_infobatch_passes_follow_without_a_break() -> None:
    sampler = InfoBatch(50, 20, 0.6, 0, "retraining", CPU)
    shown = np.concatenate([sampler.order(e, 0.0) for e in range(5)])
    assert sorted(shown[:50].tolist()) == list(range(50))  # the first pass, over epochs 0 to 2
    assert np.array_equal(sampler.order(4, 0.0), shown[80:])  # asked again


def test_infobatch_weighs_by_position_and_keeps_the_latest_loss() -> None:
    sampler = InfoBatch(4, 4, 0.5, 0, "retraining", CPU)
    ids = torch.from_numpy(sampler.order(0, 0.0).copy())
    sampler._on_device = torch.tensor([1.0, 2.0, 1.0, 2.0])
    logits, y = torch.randn(2, 3), torch.tensor([0, 2])
    each = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    found = sampler.loss(Supervised(), each.mean(), logits, y, ids[1:3], 1)
    assert float(found) == pytest.approx(float(2 * each[0] + each[1]) / 2, rel=1e-6)
    assert sampler._losses[ids[1:3]].tolist() == pytest.approx(each.tolist())
    with pytest.raises(UserError, match="leave infobatch out"):
        sampler.loss(object(), each.mean(), logits, y, ids[1:3], 1)


def test_a_paradigm_s_losses_have_the_step_s_mean() -> None:
    logits, y = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    for smoothing in (0.0, 0.1):
        mean = torch.nn.functional.cross_entropy(logits, y, label_smoothing=smoothing)
        assert float(Supervised(smoothing).losses(logits, y).mean()) == pytest.approx(float(mean))


class StopAt(Control):
    def __init__(self, step: int | None) -> None:
        self.left = step

    def should_stop(self) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        return self.left < 0


def sampler_of(name: str, total: int, count: int) -> Sampler:
    rate = 1 - count / total
    if name == "rs2":
        return RepeatedRandom(total, count, rate, 0, "retraining")
    if name.startswith("mixed"):
        mixing = {"generated_fraction": 0.6, "replacement": name.endswith("replacement")}
        made = TrainSpec.model_validate({"epochs": "6ep", "batch": 10, **mixing})
        source = (np.arange(total) % 3 > 0).astype(np.uint8)
        return Mixed(np.arange(total), source, total, count, made, 0, "retraining")
    return InfoBatch(total, count, rate, 0, "retraining", CPU)


@pytest.mark.parametrize("name", ["rs2", "infobatch", "mixed", "mixed, with replacement"])
@pytest.mark.parametrize("stop", [4, 6, 9, 13])  # within a pass, at an epoch's end, and later
def test_a_resumed_training_ends_bit_for_bit(
    name: str, stop: int, make_bank: Any, compute: Any, recipe: Any, convnet: Any, tmp_path: Path
) -> None:
    bank = make_bank(70)
    settings = recipe(epochs="6ep", batch=10, augment=["flip"])

    def run(folder: CheckpointFolder | None, at: int | None) -> tuple[Trained, Any]:
        net = build_net(convnet, bank, 0, "retraining")
        trained = train(
            net, Supervised(), Feed(bank, compute), np.arange(70), settings, seed=0,
            role="retraining", compute=compute, total_steps=18, checkpoints=folder,
            control=StopAt(at), sampler=sampler_of(name, 70, 30),
        )  # fmt: skip
        return trained, net.state_dict()

    trained, whole = run(None, None)
    assert (trained.steps, trained.train_passes) == (18, 180)  # as a selection of 30 samples
    folder = CheckpointFolder(tmp_path / "partial", 600.0)
    with pytest.raises(Stopped):
        run(folder, stop)
    _, resumed = run(folder, None)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
