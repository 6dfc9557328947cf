"""Adversarial training: losses, the ball, batch norm, the average, resuming, robustness."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.attacks import auto
from core.attacks.ball import Ball
from core.attacks.pgd import Pgd
from core.data.bank import Dataset
from core.data.prepare import prepare_dataset
from core.errors import Stopped
from core.models.base import Net
from core.models.build import build_net
from core.needs import attack_passes, step_passes
from core.paradigms import adversarial, supervised
from core.paradigms._average import Average
from core.paradigms.base import Paradigm, Start
from core.recipe import TrainSpec
from core.spec import ModelSpec
from core.spec_load import parse_data
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.devices import Compute
from core.training.feed import Feed
from core.training.loop import train
from prunectl import presets

MODEL = ModelSpec.model_validate({"name": "convnet", "width": 8})
EPS = 0.2
SMALL = {"eps": EPS, "attack_steps": 3, "step_size": 0.15, "ema": 0.9, "eval_cw_steps": 10}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    data = parse_data({"name": "digits", "test_fraction": 0.3, "validation": 40})
    return prepare_dataset(data, tmp_path_factory.mktemp("data"))


def compute(precision: Any = "fp32") -> Compute:
    return Compute(torch.device("cpu"), precision, 1, True)


def recipe(epochs: str = "2ep", **given: Any) -> TrainSpec:
    optimizer = {"name": "adam", "lr": 0.005}
    return TrainSpec.model_validate(
        {"epochs": epochs, "batch": 64, "optimizer": optimizer, **given}
    )


def made(training: TrainSpec | None = None, **given: Any) -> adversarial.Adversarial:
    return adversarial.make(adversarial.Params(**{**SMALL, **given}), training or recipe())


def fit(
    data: Dataset, paradigm: Paradigm, training: TrainSpec, n: int = 150, precision: Any = "fp32",
    **more: Any,
) -> tuple[Net, Trained]:  # fmt: skip
    torch.set_num_threads(1)
    net = build_net(MODEL, data.train, 0, "retraining")
    settings = compute(precision)
    trained = train(
        net, paradigm, Feed(data.train, settings), np.arange(n, dtype=np.int64), training,
        seed=0, role="retraining", compute=settings, **more,
    )  # fmt: skip
    return net, trained


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("norm", "eps"), [("linf", EPS), ("l2", 0.7)])
def test_a_whole_run_stays_in_the_ball_and_the_range(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, norm: Any, eps: float, precision: Any
) -> None:
    """Every example of every batch, as the training's attack hands it over."""
    seen: list[float] = []
    attack = Pgd.__call__

    def spied(self: Pgd, logits: Any, loss: Any, x: Tensor, generator: Any) -> Tensor:
        found = attack(self, logits, loss, x, generator)
        assert found.dtype == x.dtype == torch.float32
        assert float(x.min()) >= 0 and float(x.max()) <= 1
        assert float(found.min()) >= 0 and float(found.max()) <= 1
        seen.append(float(self.ball.distance(x, found).max()))
        return found

    monkeypatch.setattr(Pgd, "__call__", spied)
    paradigm = made(norm=norm, eps=eps, step_size=eps / 2)
    training = recipe("1ep", augment=["crop:1", "cutout:2"])
    fit(digits, paradigm, training, precision=precision)
    assert len(seen) == 3
    assert eps * 0.9 < max(seen) <= eps + 1e-6


def started(data: Dataset, paradigm: adversarial.Adversarial) -> tuple[Net, Tensor, Tensor]:
    """A net in train mode, with a batch."""
    feed, net = Feed(data.train, compute()), build_net(MODEL, data.train, 0, "scoring").train()
    paradigm.begin(Start(net, feed, 0, "scoring", 10, lambda text: None))
    x = feed.normalise(next(feed.raw_batches(np.arange(32), 32)))
    return net, x, feed.targets[:32]


def found_example(
    paradigm: adversarial.Adversarial, monkeypatch: pytest.MonkeyPatch
) -> list[Tensor]:
    kept: list[Tensor] = []
    example = paradigm._example

    def spied(*given: Any) -> Tensor:
        kept.append(example(*given))
        return kept[-1]

    monkeypatch.setattr(paradigm, "_example", spied)
    return kept


def test_pgd_is_cross_entropy_of_the_attacked(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    paradigm = made(loss="pgd")
    net, x, y = started(digits, paradigm)
    kept = found_example(paradigm, monkeypatch)
    out = paradigm.step(net, x, y)
    p = net(kept[0]).detach().double().log_softmax(1)
    expected = -sum(float(p[i, int(label)]) for i, label in enumerate(y)) / len(y)
    assert out.loss.item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(out.logits, net(kept[0]))
    assert not torch.allclose(kept[0], x)


def test_trades_adds_beta_times_the_divergence(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = recipe(label_smoothing=0.1)
    paradigm = made(training, loss="trades", beta=3.0)
    net, x, y = started(digits, paradigm)
    kept = found_example(paradigm, monkeypatch)
    out = paradigm.step(net, x, y)
    p, q = net(x).double().softmax(1), net(kept[0]).double().softmax(1)
    smooth = torch.full((len(y), 10), 0.01, dtype=torch.float64)
    smooth[torch.arange(len(y)), y] += 0.9
    expected = -(smooth * p.log()).sum(1).mean() + 3 * (p * (p.log() - q.log())).sum(1).mean()
    assert out.loss.item() == pytest.approx(expected.item(), rel=1e-4)
    out.loss.backward()
    assert all(w.grad is not None for w in net.parameters())


@pytest.mark.parametrize(("loss", "forwards"), [("pgd", 1), ("trades", 2)])
@pytest.mark.parametrize("record", ["adversarial", "clean"])
def test_batch_norm_counts_only_what_is_trained_on(
    digits: Dataset, loss: Any, record: Any, forwards: int
) -> None:
    paradigm = made(loss=loss, record=record)
    net, x, y = started(digits, paradigm)
    shown = paradigm.step(net, x, y).logits
    assert int(net.state_dict()["blocks.1.num_batches_tracked"]) == forwards
    assert torch.allclose(shown, net(x), atol=1e-5) == (record == "clean")


def test_the_average_is_the_slow_one(digits: Dataset) -> None:
    raw = build_net(MODEL, digits.train, 0, "scoring").train()
    average = Average(raw, 0.8, warmup=2)
    assert [average.tau(s) for s in (0, 1, 2, 3, 500)] == [0, 0, 0.1, 2 / 11, 0.8]
    slow = {k: v.clone().double() for k, v in raw.named_parameters()}
    for step in range(5):
        with torch.no_grad():
            for parameter in raw.parameters():
                parameter.add_(0.1 * (step + 1))
        raw(torch.rand((4, 1, 8, 8)))
        average.update(step)
        tau = average.tau(step)
        slow = {k: tau * slow[k] + (1 - tau) * v for k, v in raw.named_parameters()}
    for name, parameter in average.net.named_parameters():
        torch.testing.assert_close(parameter.double(), slow[name], atol=1e-5, rtol=1e-5)
    for own, other in zip(average.net.buffers(), raw.buffers(), strict=True):
        assert torch.equal(own, other)
        assert own is not other


class StopAt(Control):
    """Stops before a step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def should_stop(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_resumed_training_ends_bit_identical(digits: Dataset, tmp_path: Path, step: int) -> None:
    def go(control: Control | None, folder: Path | None) -> tuple[dict[str, Tensor], Trained]:
        parts = {
            "test": Feed(digits.test, compute()), "validation": Feed(digits.validation, compute()),
        }  # fmt: skip
        checkpoints = CheckpointFolder(folder, 1e9) if folder else None
        net, trained = fit(
            digits, made(), recipe(), control=control, checkpoints=checkpoints, **parts
        )
        return net.state_dict(), trained

    weights, trained = go(None, None)
    with pytest.raises(Stopped):
        go(StopAt(step), tmp_path)
    again, resumed = go(None, tmp_path)
    assert all(torch.equal(v, again[k]) for k, v in weights.items())
    assert resumed.history == trained.history
    assert resumed.metrics == trained.metrics
    assert len(trained.history["validation/robust_accuracy"]["value"]) == 2
    assert len(trained.history["test/robust_accuracy"]["value"]) == 1


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({"loss": "pgd"}, 5),
        ({"loss": "pgd", "record": "clean"}, 6),
        ({"loss": "trades"}, 6),
        ({"loss": "trades", "record": "clean"}, 6),
    ],
)
def test_the_plan_counts_the_passes_that_are_made(given: dict[str, Any], passes: int) -> None:
    changes = [f"paradigm.{k}={v}" for k, v in {"name": "adversarial", **given}.items()]
    spec = presets.load_spec("quickstart", [*changes, "paradigm.attack_steps=4"])
    assert step_passes(spec) == passes
    assert made(attack_steps=4, **given).passes == passes
    assert step_passes(presets.load_spec("quickstart")) == supervised.Supervised().passes == 1


@pytest.mark.parametrize(("cw", "passes"), [(0, 1 + 2 * 3), (5, 1 + 2 * 3 + 2 * 5)])
def test_an_evaluation_that_chooses_is_charged_with_its_attacks(cw: int, passes: int) -> None:
    given = {"eval_steps": 3, "eval_cw_steps": cw, "eval_restarts": 2}
    changes = [f"paradigm.{k}={v}" for k, v in {"name": "adversarial", **given}.items()]
    spec = presets.load_spec("quickstart", changes)
    paradigm = made(**given)
    assert attack_passes(spec) == paradigm.attack_passes == passes  # the first is the single step
    assert paradigm.judged_by == ("cw_robust_accuracy" if cw else "robust_accuracy")
    assert attack_passes(presets.load_spec("quickstart")) == supervised.Supervised().attack_passes


@pytest.fixture(scope="module")
def robust(digits: Dataset) -> tuple[Net, Trained]:
    """A net trained by TRADES on all digits."""
    return fit(digits, made(recipe("8ep")), recipe("8ep"), 1200, test=Feed(digits.test, compute()))


def own_pgd(net: Net, data: Dataset, steps: int) -> float:
    """Accuracy under a PGD that shares nothing with the project's: on raw pixels, one by one step,
    projecting by min and max, from other starting points."""
    net = copy.deepcopy(net).eval()
    x = torch.from_numpy(np.array(data.test.inputs)).float().permute(0, 3, 1, 2) / 255
    y = torch.from_numpy(np.array(data.test.targets))
    mean, std = float(data.test.mean[0]), float(data.test.std[0])
    torch.manual_seed(5)
    low, high = (x - EPS).clamp(min=0), (x + EPS).clamp(max=1)
    now = low + (high - low) * torch.rand_like(x)
    for _ in range(steps):
        now = now.detach().requires_grad_(True)
        torch.nn.functional.cross_entropy(net((now - mean) / std), y).backward()
        assert now.grad is not None
        now = torch.min(torch.max(now.detach() + 0.05 * now.grad.sign(), low), high)
    return float((net((now - mean) / std).argmax(1) == y).float().mean())


def test_an_independent_attack_agrees(digits: Dataset, robust: tuple[Net, Trained]) -> None:
    net, trained = robust
    reported = trained.metrics["robust_accuracy"]
    assert abs(own_pgd(net, digits, 20) - reported) <= 0.02
    assert 0.2 < reported < trained.metrics["accuracy"]
    assert abs(trained.metrics["cw_robust_accuracy"] - reported) < 0.2


def test_robustness_gains_thirty_points_over_standard_training(
    digits: Dataset, robust: tuple[Net, Trained]
) -> None:
    training = recipe("8ep")
    net, plain = fit(
        digits, supervised.make(supervised.Params(), training), training, 1200,
        test=Feed(digits.test, compute()),
    )  # fmt: skip
    standard = own_pgd(net, digits, 20)
    assert plain.metrics["accuracy"] > 0.95
    assert robust[1].metrics["accuracy"] > 0.9
    assert robust[1].metrics["robust_accuracy"] - standard >= 0.3


def test_autoattack_is_run_once_on_the_kept_net(digits: Dataset) -> None:
    pytest.importorskip(auto.PACKAGE)
    paradigm = made(recipe("2ep", evaluate="1ep"), autoattack=6)
    net, trained = fit(
        digits, paradigm, recipe("2ep", evaluate="1ep"), 600, test=Feed(digits.test, compute())
    )
    found = trained.history["test/autoattack_accuracy"]
    assert found["step"] == [trained.steps]
    assert trained.metrics["autoattack_accuracy"] == found["value"][0]
    test, ids = Feed(digits.test, compute()), auto.chosen(len(digits.test), 6)
    held = auto.withstood(net, test, Ball("linf", EPS), ids)  # the average is in the net by now
    assert held.mean() == trained.metrics["autoattack_accuracy"]


def test_what_square_alone_fools_is_told(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(auto.PACKAGE)
    monkeypatch.setattr(auto, "withstood", lambda net, feed, ball, ids: np.zeros(len(ids), bool))
    for share in (0.04, 0.06):
        monkeypatch.setattr(
            auto, "square_alone",
            lambda net, feed, ball, pgd, ids, share=share: np.arange(len(ids)) < share * len(ids),
        )  # fmt: skip
        said: list[str] = []
        control, test = Control(), Feed(digits.test, compute())
        control.warn = said.append  # type: ignore[method-assign]  # a stub for one method
        paradigm = made(autoattack=100, eval_steps=5)
        fit(digits, paradigm, recipe("1ep"), 60, test=test, control=control)
        found = [text for text in said if "Square" in text]
        assert len(found) == (share > 0.05)
    assert "of 100 test samples 6 withstand 5 steps of PGD and not Square" in found[0]


def test_masked_gradients_are_told(digits: Dataset) -> None:
    """Many steps much too small reach less than one step across the ball."""
    said: list[str] = []
    paradigm = made(ema=0.0)
    weak = Pgd(Ball("linf", EPS / 100), 1, EPS / 100)
    paradigm._evaluation = {
        **paradigm._evaluation, "robust_accuracy": (weak, paradigm._evaluation["single"][1]),
    }  # fmt: skip
    control = Control()
    control.warn = said.append  # type: ignore[method-assign]  # a stub for one method
    test = Feed(digits.test, compute())
    fit(digits, paradigm, recipe("3ep"), 600, test=test, control=control)
    assert len(said) == 1
    assert "masked" in said[0]
