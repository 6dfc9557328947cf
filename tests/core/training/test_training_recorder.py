"""What each record mode shows a score, and that watching changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.models.base import Net
from core.models.build import build_net
from core.paradigms.supervised import Supervised
from core.scores.base import Batch, TrainedScore
from core.training.devices import Compute
from core.training.feed import Feed
from core.training.loop import train
from core.training.recorder import Recorded, Recorder


class Notebook(TrainedScore):
    """Writes down everything it is shown."""

    direction = "high"

    def __init__(self, m: int) -> None:
        self.m = m
        self.pages: list[tuple[int, Batch]] = []
        self.ended: list[int] = []

    @property
    def bytes_per_sample(self) -> int:
        return 0

    def observe(self, epoch: int, batch: Batch) -> None:
        self.pages.append((epoch, batch))

    def end_epoch(self, epoch: int) -> None:
        self.ended.append(epoch)

    def finalize(self) -> Tensor:
        return torch.zeros(self.m)

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to take back."""


IDS = np.array([3, 4, 8, 15, 16, 23, 42, 7, 9, 30])  # not sorted: positions are places in this


class Lab:
    def __init__(self, make_bank: Any, compute: Compute, recipe: Any, convnet: Any) -> None:
        self.bank = make_bank(50)
        self.compute, self.recipe, self.model = compute, recipe(epochs="2ep", batch=4), convnet
        self.feed = Feed(self.bank, compute)

    def run(self, *modes: str) -> tuple[Net, dict[str, Notebook], Recorder]:
        notes = {mode: Notebook(len(IDS)) for mode in modes}
        made = {mode: Recorded(note, mode) for mode, note in notes.items()}
        recorder = Recorder(IDS, 50, made, self.compute.device)
        net = build_net(self.model, self.bank, 0, "scoring")
        train(
            net, Supervised(), self.feed, IDS, self.recipe, seed=0, role="scoring",
            compute=self.compute, recorder=recorder if modes else None,
        )  # fmt: skip
        return net, notes, recorder


@pytest.fixture
def lab(make_bank: Any, compute: Compute, recipe: Any, convnet: Any) -> Lab:
    return Lab(make_bank, compute, recipe, convnet)


@pytest.mark.parametrize("mode", ["train_forward", "extra_forward", "eval_pass"])
def test_every_sample_is_shown_once_an_epoch_at_its_position(lab: Lab, mode: str) -> None:
    _, notes, _ = lab.run(mode)
    for epoch in (0, 1):
        shown = [batch for e, batch in notes[mode].pages if e == epoch]
        positions = torch.cat([b.ids for b in shown])
        assert sorted(positions.tolist()) == list(range(len(IDS)))
        targets = torch.cat([b.targets for b in shown]).numpy()
        np.testing.assert_array_equal(targets, lab.bank.targets[IDS[positions.numpy()]])
        assert all(not b.logits.requires_grad for b in shown)
        assert all(b.features is not None and not b.features.requires_grad for b in shown)
    assert notes[mode].ended == [0, 1]


def test_watching_changes_no_weight(lab: Lab) -> None:
    alone, *_ = lab.run()
    watched, *_ = lab.run("train_forward", "extra_forward", "eval_pass")
    for (name, one), other in zip(
        alone.state_dict().items(), watched.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_extra_passes_are_counted(lab: Lab) -> None:
    assert lab.run("train_forward")[2].extra_passes == 0
    assert lab.run("extra_forward")[2].extra_passes == 20
    assert lab.run("eval_pass")[2].extra_passes == 20
    assert lab.run("extra_forward", "eval_pass")[2].extra_passes == 40


def test_the_eval_pass_is_the_evaluation_of_the_net_at_the_epoch_s_end(lab: Lab) -> None:
    net, notes, _ = lab.run("eval_pass")
    net.eval()
    with torch.no_grad():
        logits = net(lab.feed.normalise(torch.from_numpy(lab.bank.inputs[IDS])))
    shown = torch.cat([b.logits for e, b in notes["eval_pass"].pages if e == 1])
    torch.testing.assert_close(shown, logits)


def test_the_extra_forward_is_in_evaluation_mode(lab: Lab) -> None:
    """Batch norm in train mode would see the batch: the two modes must differ."""
    _, notes, _ = lab.run("train_forward", "extra_forward")
    first = [notes[mode].pages[0][1].logits for mode in ("train_forward", "extra_forward")]
    assert not torch.allclose(*first)


def test_unknown_modes_are_refused(lab: Lab) -> None:
    with pytest.raises(ValueError, match="sometimes"):
        Recorder(IDS, 50, {"x": Recorded(Notebook(10), "sometimes")}, lab.compute.device)


@pytest.mark.parametrize("ids", [[3, 3, 4], [-1, 2], [5, 50]])
def test_ids_that_cannot_be_are_refused(lab: Lab, ids: list[int]) -> None:
    with pytest.raises(ValueError, match="unique"):
        Recorder(np.array(ids), 50, {}, lab.compute.device)
