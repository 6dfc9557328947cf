"""An interrupted training ends bit-identical to an undisturbed one, from any checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import Stopped
from core.models.build import build_net
from core.paradigms.supervised import Supervised
from core.scores import dynamic_uncertainty, el2n
from core.scores.base import TrainedScore
from core.spec import ScoreSpec
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.curve import Curve
from core.training.devices import Compute, apply
from core.training.feed import Feed
from core.training.loop import train
from core.training.recorder import Recorded, Recorder
from core.training.truncation import Truncation

VOLATILE = ("seconds", "evaluation_seconds")


class Killed(BaseException):
    """What a test raises where the process would have died."""


class StopAt(Control):
    """Stops gracefully before the given step, or dies there without a word."""

    def __init__(self, step: int | None = None, kill: bool = False) -> None:
        self.left, self.kill = step, kill
        self.resumed_at: list[int] = []
        self.checkpoints: list[int] = []

    def should_stop(self) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        if self.left < 0 and self.kill:
            raise Killed
        return self.left < 0

    def resumed(self, step: int) -> None:
        self.resumed_at.append(step)

    def checkpointed(self, step: int) -> None:
        self.checkpoints.append(step)


class Setup:
    """A scoring run with all three record modes, a score that validation ends, augmentation and
    periodic evaluation."""

    def __init__(self, make_bank: Any, compute: Compute, recipe: Any, convnet: Any) -> None:
        self.bank, self.test = make_bank(70), make_bank(33, seed=1)
        self.compute, self.model = compute, convnet
        self.recipe = recipe(
            epochs="4ep", augment=["crop", "flip", "cutout"], evaluate="7st",
            optimizer={"name": "adam", "lr": 0.01, "weight_decay": 0.001},
        )  # fmt: skip
        self.ids = np.sort(np.random.default_rng(3).permutation(70)[:45])

    def recorder(self) -> Recorder:
        device, m = self.compute.device, len(self.ids)
        window = {"length": 2, "ddof": 1}
        made = {
            name: Recorded(module.make(m, 3, 4, section, device), section.record)
            for name, module, section in [
                ("shown", dynamic_uncertainty, score("train_forward", window=window)),
                ("extra", dynamic_uncertainty, score("extra_forward", window=window)),
                ("passed", el2n, score("eval_pass", name="el2n", epoch=1, span=2)),
            ]
        }
        section = score("train_forward", window={**window, "drop_last": True})

        def of(epochs: int) -> TrainedScore:
            return dynamic_uncertainty.make(m, 3, epochs, section, device)

        made["ended"] = Recorded(of(4), "train_forward", Truncation(of))
        return Recorder(self.ids, len(self.bank), made, device)

    def run(
        self, folder: Path | None = None, control: Control | None = None, seed: int = 0,
        every: float = 1e9,
    ) -> dict[str, Any]:  # fmt: skip
        net = build_net(self.model, self.bank, seed, "scoring")
        recorder = self.recorder()
        trained = train(
            net, Supervised(), Feed(self.bank, self.compute), self.ids, self.recipe,
            seed=seed, role="scoring", compute=self.compute, test=Feed(self.test, self.compute),
            validation=Feed(self.test, self.compute), recorder=recorder,
            curve=Curve(), control=control,
            checkpoints=CheckpointFolder(folder, every) if folder else None,
        )  # fmt: skip
        return outcome(net, trained, recorder)


def score(record: str, **given: Any) -> ScoreSpec:
    plain = {"name": "dynamic_uncertainty", "record": record, **given}
    return ScoreSpec.model_validate(plain)


def outcome(net: torch.nn.Module, trained: Trained, recorder: Recorder) -> dict[str, Any]:
    """Everything that must be equal, bit for bit."""
    ledger = {k: v for k, v in vars(trained).items() if k not in (*VOLATILE, "predictions")}
    return {
        "weights": {k: v.cpu() for k, v in net.state_dict().items()},
        "predictions": trained.predictions,
        "scores": recorder.finalize(),
        "ledger": ledger,
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    weights = one["weights"].keys() == other["weights"].keys() and all(
        torch.equal(v, other["weights"][k]) for k, v in one["weights"].items()
    )
    scores = all(np.array_equal(v, other["scores"][k]) for k, v in one["scores"].items())
    return (
        weights
        and scores
        and np.array_equal(one["predictions"], other["predictions"])
        and one["ledger"] == other["ledger"]
    )


@pytest.fixture
def setup(make_bank: Any, compute: Compute, recipe: Any, convnet: Any) -> Setup:
    return Setup(make_bank, compute, recipe, convnet)


@pytest.mark.parametrize("step", range(12))
def test_stopped_before_any_step_and_resumed(setup: Setup, tmp_path: Path, step: int) -> None:
    """3 steps an epoch: this stops at epoch ends and inside epochs."""
    whole = setup.run()
    stop = StopAt(step)
    with pytest.raises(Stopped):
        setup.run(tmp_path, stop)
    assert stop.checkpoints == [step]
    go_on = StopAt()
    assert same(setup.run(tmp_path, go_on), whole)
    assert go_on.resumed_at == [step]


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_killed_again_and_again(setup: Setup, tmp_path: Path, every: float) -> None:
    """Dies without a word at random steps; with checkpoints at every step, and with none due."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        with pytest.raises(Killed):
            setup.run(tmp_path, StopAt(int(rng.integers(1, 3)), kill=True), every=every)
    control = StopAt()
    assert same(setup.run(tmp_path, control, every=every), setup.run())
    assert bool(control.resumed_at) == (every == 0.0)


def test_the_comparison_can_fail(setup: Setup, tmp_path: Path) -> None:
    whole = setup.run()
    assert same(whole, setup.run())
    assert not same(whole, setup.run(seed=1))
    with pytest.raises(Stopped):
        setup.run(tmp_path, StopAt(5))
    file = next(tmp_path.glob("*.pt"))
    state = torch.load(file, weights_only=True)
    state["recorder"]["scores"]["shown"]["sum"] += 1e-6
    CheckpointFolder(tmp_path, 1).save(state)
    assert not same(setup.run(tmp_path), whole)


def test_threads_of_the_checkpoint_are_taken_over(setup: Setup, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    other = 1 if before > 1 else 2
    texts: list[str] = []
    control = Control()
    control.warn = texts.append  # type: ignore[method-assign]  # put in its place
    try:
        with pytest.raises(Stopped):
            setup.run(tmp_path, StopAt(2))
        torch.set_num_threads(other)
        setup.run(tmp_path, control)
        assert torch.get_num_threads() == before
        assert len(texts) == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_a_gpu_too(
    make_bank: Any, recipe: Any, convnet: Any, tmp_path: Path, precision: Any
) -> None:
    compute = Compute(torch.device("cuda:0"), precision, 1, True)
    apply(compute)
    setup = Setup(make_bank, compute, recipe, convnet)
    whole = setup.run()
    with pytest.raises(Stopped):
        setup.run(tmp_path, StopAt(5))
    assert same(setup.run(tmp_path), whole)
    assert not same(setup.run(seed=1), whole)
