"""The loop against a plain one, its ledger, its curve, and how it ends when it must."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import Diverged, OutOfMemory, Stopped, UserError
from core.models.base import Net
from core.models.build import build_net
from core.paradigms.base import StepOutput
from core.paradigms.supervised import Supervised
from core.recipe import TrainSpec
from core.training import meter
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.curve import Curve
from core.training.devices import Compute
from core.training.epoch import epoch_order
from core.training.feed import Feed
from core.training.loop import train


class Lab:
    """A tiny data set and one call that trains on it."""

    def __init__(self, make_bank: Any, compute: Compute, recipe: Any, convnet: Any) -> None:
        self.bank = make_bank(50)
        self.compute, self.make_recipe, self.model = compute, recipe, convnet
        self.feed = Feed(self.bank, compute)
        self.ids = np.arange(0, 50, 1)

    def net(self, seed: int = 0) -> Net:
        return build_net(self.model, self.bank, seed, "retraining")

    def recipe(self, **given: Any) -> TrainSpec:
        made: TrainSpec = self.make_recipe(**given)
        return made

    def train(self, net: Net, recipe: TrainSpec, **given: Any) -> Trained:
        plain = {"paradigm": Supervised(), "ids": self.ids, "seed": 0, "role": "retraining"}
        return train(net, feed=self.feed, recipe=recipe, compute=self.compute, **{**plain, **given})


@pytest.fixture
def lab(make_bank: Any, compute: Compute, recipe: Any, convnet: Any) -> Lab:
    return Lab(make_bank, compute, recipe, convnet)


def test_equals_a_plain_training_loop(lab: Lab) -> None:
    net, plain = lab.net(), lab.net()
    recipe = lab.recipe(schedule={"name": "constant"})
    lab.train(net, recipe, paradigm=Supervised(label_smoothing=0.1))
    optimizer = torch.optim.SGD(
        plain.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    for epoch in range(3):
        order = epoch_order(lab.ids, 50, 0, "retraining", epoch)
        for start in range(0, 50, 16):
            rows = order[start : start + 16]
            x = lab.feed.normalise(torch.from_numpy(lab.bank.inputs[rows]))
            y = torch.from_numpy(lab.bank.targets[rows])
            optimizer.zero_grad()
            F.cross_entropy(plain(x), y, label_smoothing=0.1).backward()
            optimizer.step()
    for mine, theirs in zip(net.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_it_learns(lab: Lab, make_bank: Any) -> None:
    test = Feed(make_bank(40, seed=1), lab.compute)
    trained = lab.train(lab.net(), lab.recipe(epochs="15ep", augment=["flip"]), test=test)
    assert trained.metrics["accuracy"] > 0.6
    losses = trained.history["train/loss"]["value"]
    assert losses[-1] < losses[0] / 2


class Watching(Supervised):
    """Notes the mode of every module at every step."""

    def step(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        assert all(module.training for module in net.modules())
        return super().step(net, x, y)


def test_the_net_is_in_train_mode_at_every_step(lab: Lab, make_bank: Any) -> None:
    test = Feed(make_bank(20, seed=1), lab.compute)
    net = lab.net()
    net.eval()
    lab.train(net, lab.recipe(evaluate="1st"), paradigm=Watching(), test=test)


def test_the_ledger_counts_steps_and_passes(lab: Lab) -> None:
    by_epochs = lab.train(lab.net(), lab.recipe(epochs="2ep"))
    assert (by_epochs.steps, by_epochs.epochs, by_epochs.train_passes) == (8, 2.0, 100)
    by_steps = lab.train(lab.net(), lab.recipe(epochs="6st"))
    assert (by_steps.steps, by_steps.epochs, by_steps.train_passes) == (6, 1.5, 82)
    given = lab.train(lab.net(), lab.recipe(), total_steps=4, ids=lab.ids[:10])
    assert (given.steps, given.train_passes, given.extra_passes) == (4, 40, 0)
    assert given.seconds > 0
    assert given.evaluation_seconds == 0.0
    assert given.predictions is None


@pytest.mark.parametrize(
    ("evaluate", "steps"),
    [("end", [10]), ("1ep", [4, 8, 10]), ("3st", [3, 6, 9, 10]), ("5st", [5, 10])],
)
def test_when_it_evaluates(lab: Lab, make_bank: Any, evaluate: str, steps: list[int]) -> None:
    test = Feed(make_bank(20, seed=1), lab.compute)
    trained = lab.train(lab.net(), lab.recipe(epochs="10st", evaluate=evaluate), test=test)
    curve = trained.history["test/accuracy"]
    assert curve["step"] == steps
    assert curve["epoch"] == [s / 4 for s in steps]
    assert curve["value"][-1] == trained.metrics["accuracy"]
    assert trained.predictions is not None
    found = float(np.mean(trained.predictions == test.bank.targets))
    assert found == trained.metrics["accuracy"]


def test_evaluating_changes_nothing(lab: Lab, make_bank: Any) -> None:
    test = Feed(make_bank(20, seed=1), lab.compute)
    quiet, busy = lab.net(), lab.net()
    lab.train(quiet, lab.recipe())
    lab.train(busy, lab.recipe(evaluate="1st"), test=test)
    for one, other in zip(quiet.state_dict().values(), busy.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_accuracy_points_are_one_an_epoch_and_right(lab: Lab) -> None:
    still = lab.recipe(epochs="10st", optimizer={"lr": 1e-12, "weight_decay": 0.0})
    net = lab.net()
    curve = lab.train(net, still).history["train/accuracy"]
    assert curve["step"] == [4, 8, 10]
    order = epoch_order(lab.ids, 50, 0, "retraining", 0)
    right = 0
    reference = lab.net().train()
    for start in range(0, 50, 16):
        rows = order[start : start + 16]
        with torch.no_grad():
            logits = reference(lab.feed.normalise(torch.from_numpy(lab.bank.inputs[rows])))
        right += int((logits.argmax(1).numpy() == lab.bank.targets[rows]).sum())
    assert curve["value"][0] == pytest.approx(right / 50)


def test_long_runs_average_their_loss_over_steps(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    single = lab.train(lab.net(), lab.recipe(epochs="11st")).history["train/loss"]["value"]
    monkeypatch.setattr(meter, "MAX_POINTS", 3)
    averaged = lab.train(lab.net(), lab.recipe(epochs="11st")).history["train/loss"]
    assert averaged["step"] == [3, 6, 9, 11]
    means = [np.mean(single[a:b]) for a, b in [(0, 3), (3, 6), (6, 9), (9, 11)]]
    assert averaged["value"] == pytest.approx(means)


def test_divergence_is_noticed_within_fifty_steps_and_never_saved(lab: Lab, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, 0.0)
    recipe = lab.recipe(epochs="400st", optimizer={"lr": 1e20}, schedule={"name": "constant"})
    with pytest.raises(Diverged) as noticed:
        lab.train(lab.net(), recipe, checkpoints=folder)
    step = int(str(noticed.value).split("at step ")[1].split()[0])
    assert step <= 50
    saved = folder.latest()
    if saved is not None:
        assert all(v.isfinite().all() for v in saved["net"].values())


def test_divergence_in_the_last_step_is_noticed(lab: Lab) -> None:
    with pytest.raises(Diverged):
        lab.train(lab.net(), lab.recipe(epochs="1st", optimizer={"lr": 1e38, "weight_decay": 1e6}))


class Greedy(Supervised):
    """Raises what torch really says on several devices."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        object.__setattr__(self, "error", error)

    def step(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        raise self.error  # type: ignore[attr-defined]  # set by the test


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB, max allowed: 9.07 GB)."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        MemoryError(),
    ],
)
def test_out_of_memory_names_a_batch_size_to_try(lab: Lab, error: BaseException) -> None:
    with pytest.raises(OutOfMemory, match="batch=8") as found:
        lab.train(lab.net(), lab.recipe(), paradigm=Greedy(error))
    assert found.value.kind == "oom"


def test_other_errors_pass_through(lab: Lab) -> None:
    with pytest.raises(RuntimeError, match="shape"):
        lab.train(lab.net(), lab.recipe(), paradigm=Greedy(RuntimeError("shape mismatch")))


def test_no_samples_is_an_error(lab: Lab) -> None:
    with pytest.raises(UserError, match="no samples"):
        lab.train(lab.net(), lab.recipe(), ids=lab.ids[:0])


class Listener(Control):
    """Stops after some steps and notes the order of what it is told."""

    def __init__(self, stop_after: float = math.inf) -> None:
        self.polls, self.stop_after = 0, stop_after
        self.heard: list[tuple[str, int]] = []

    def should_stop(self) -> bool:
        self.polls += 1
        return self.polls > self.stop_after

    def progress(self, step: int, total: int) -> None:
        self.heard.append(("progress", step))

    def checkpointed(self, step: int) -> None:
        self.heard.append(("checkpoint", step))

    def points(self, series: str, steps: list[int], *_: Any) -> None:
        self.heard += [("point", step) for step in steps if series == "train/loss"]


def test_points_are_out_before_their_checkpoint(lab: Lab, tmp_path: Path) -> None:
    control = Listener(stop_after=5)
    with pytest.raises(Stopped):
        lab.train(
            lab.net(), lab.recipe(), control=control, curve=Curve(control.points),
            checkpoints=CheckpointFolder(tmp_path, 1e9),
        )  # fmt: skip
    assert control.polls == 6
    at = control.heard.index(("checkpoint", 5))
    assert [s for kind, s in control.heard[:at] if kind == "point"] == [1, 2, 3, 4, 5]


def test_stopping_without_a_place_for_checkpoints_still_stops(lab: Lab) -> None:
    with pytest.raises(Stopped):
        lab.train(lab.net(), lab.recipe(), control=Listener(stop_after=2))


def test_progress_reaches_the_end(lab: Lab) -> None:
    control = Listener()
    lab.train(lab.net(), lab.recipe(), control=control)
    assert control.heard[-1] == ("progress", 12)


class Dropping(Net):
    """Flattens and drops: needs random numbers in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(64, 3)

    def features(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.drop(x.flatten(1))
        return dropped


def dropping(seed: int) -> Net:
    torch.manual_seed(seed)
    return Dropping()


def test_dropout_is_repeatable_and_resumes(lab: Lab, tmp_path: Path) -> None:
    first, again, cut = dropping(0), dropping(0), dropping(0)
    lab.train(first, lab.recipe())
    torch.rand(17)  # what others drew before must not matter
    lab.train(again, lab.recipe())
    assert torch.equal(first.head.weight, again.head.weight)
    folder = CheckpointFolder(tmp_path, 1e9)
    with pytest.raises(Stopped):
        lab.train(cut, lab.recipe(), control=Listener(stop_after=7), checkpoints=folder)
    resumed = dropping(0)
    lab.train(resumed, lab.recipe(), checkpoints=folder)
    assert torch.equal(first.head.weight, resumed.head.weight)


def test_nets_without_dropout_leave_torch_s_generator_alone(lab: Lab) -> None:
    before = torch.get_rng_state()
    lab.train(lab.net(), lab.recipe())
    assert torch.equal(before, torch.get_rng_state())
