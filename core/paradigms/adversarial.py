"""Adversarial training: PGD-AT or TRADES, linf or l2; clean and robust accuracy.

Robust accuracy is measured by PGD on cross entropy (``robust_accuracy``) and on the margin
(``cw_robust_accuracy``), each from a random start, on the net that is kept: the moving average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.attacks import auto
from core.attacks.ball import Ball
from core.attacks.losses import AttackLoss, cross_entropy, divergence, margin
from core.attacks.pgd import Pgd
from core.attacks.pixels import Pixels, frozen_statistics
from core.attacks.robust import Named, attacked
from core.models.base import Net
from core.paradigms._average import Average
from core.paradigms.base import Paradigm, Start, StepOutput
from core.recipe import TrainSpec
from core.rng import derive
from core.training.feed import Feed

EXTRA_PASSES = ("attack_steps", {"loss": "trades"}, {"loss": "pgd", "record": "clean"})
LIMITS = {
    "beta": {"ge": 0},
    "eps": {"gt": 0, "le": 100},
    "attack_steps": {"ge": 1},
    "step_size": {"gt": 0, "le": 100},
    "ema": {"ge": 0, "lt": 1},
    "ema_warmup": {"ge": 0, "lt": 1},
    "eval_steps": {"ge": 1},
    "eval_cw_steps": {"ge": 0},
    "eval_restarts": {"ge": 1},
    "autoattack": {"ge": 0},
}
ATTACK_PASSES: tuple[Any, ...] = (
    ("eval_steps", "eval_restarts"),
    ("eval_cw_steps", "eval_restarts"),
    {},
)
SAMPLE_LOSSES = False
_MASKED = 0.01
"""A single step that fools this much more than many steps says that gradients are masked."""

_BLIND = 0.05
"""So is more than this share of samples that Square fools and many steps along gradients do not."""


@dataclass(frozen=True)
class Params:
    """The attack in training, the loss, the averaging and the attacks of the evaluation."""

    loss: Literal["pgd", "trades"] = "trades"
    """pgd: cross entropy on adversarial examples (1706.06083); trades: clean cross entropy plus
    beta times the divergence between clean and attacked (1901.08573)."""
    beta: float = 5.0
    """Weight of the divergence in trades."""
    norm: Literal["linf", "l2"] = "linf"
    """Norm of the ball."""
    eps: float = 0.03137254901960784
    """Radius of the ball in pixels of [0, 1]; 8/255."""
    attack_steps: int = 10
    """Steps of the attack in training; each is a pass, and the ledger counts it."""
    step_size: float = 0.00784313725490196
    """Length of these steps; 2/255."""
    record: Literal["adversarial", "clean"] = "adversarial"
    """Which logits scores are shown; clean costs a further pass with loss pgd."""
    ema: float = 0.995
    """Decay of the weights' moving average; 0 keeps the raw weights."""
    ema_warmup: float = 0.025
    """Share of the steps in which the average is just the raw weights."""
    eval_steps: int = 20
    """Steps of the PGD that robust accuracy is measured with, each eps / 4 long."""
    eval_cw_steps: int = 40
    """Steps of the same on the margin; 0 leaves it out."""
    eval_restarts: int = 1
    """Random starts of both."""
    autoattack: int = 0
    """Test samples that AutoAttack is tried on at the end of every training; 0 leaves it out."""


class Adversarial(Paradigm):
    """See the module; one object serves one training at a time."""

    validates = True

    def __init__(self, params: Params, label_smoothing: float) -> None:
        self.params, self._smoothing = params, label_smoothing
        self._ball = ball = Ball(params.norm, params.eps)
        self._attack = Pgd(ball, params.attack_steps, params.step_size)
        self._evaluation = _evaluation(ball, params)
        self.passes = (
            1 + params.attack_steps + int(params.loss == "trades" or params.record == "clean")
        )
        self.attack_passes = sum(attack.passes for attack, _ in self._evaluation.values())
        self.judged_by = "cw_robust_accuracy" if params.eval_cw_steps else "robust_accuracy"
        self._average: Average | None = None

    def begin(self, start: Start) -> None:
        """Note the feed's pixels and the attack's stream; start the average."""
        self._start, self._step = start, 0
        self._pixels = Pixels(start.feed)
        if self.params.autoattack:  # before anything is trained
            auto.check(start.net.head.out_features)
        warmup = round(self.params.ema_warmup * start.total)
        self._average = Average(start.net, self.params.ema, warmup) if self.params.ema else None

    def step(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        """Attack the batch and give the loss; see :class:`core.paradigms.base.Paradigm`."""
        return self._trades(net, x, y) if self.params.loss == "trades" else self._pgd(net, x, y)

    def _pgd(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        found = self._example(net, x, cross_entropy(y))
        features = net.features(found)
        logits = net.head(features)
        loss = F.cross_entropy(logits, y, label_smoothing=self._smoothing)
        if self.params.record == "clean":
            with torch.no_grad(), frozen_statistics(net):
                features = net.features(x)
                logits = net.head(features)
        return StepOutput(loss, logits, features)

    def _trades(self, net: Net, x: Tensor, y: Tensor) -> StepOutput:
        clean_features = net.features(x)
        clean = net.head(clean_features)
        found = self._example(net, x, divergence(clean))
        features = net.features(found)
        logits = net.head(features)
        apart = F.kl_div(
            logits.float().log_softmax(1), clean.float().log_softmax(1),
            reduction="batchmean", log_target=True,
        )  # fmt: skip
        loss = F.cross_entropy(clean, y, label_smoothing=self._smoothing) + self.params.beta * apart
        if self.params.record == "clean":
            return StepOutput(loss, clean, clean_features)
        return StepOutput(loss, logits, features)

    def _example(self, net: Net, x: Tensor, loss: AttackLoss) -> Tensor:
        """Network input of the batch's adversarial examples."""
        start = self._start
        generator = torch.Generator(x.device)
        generator.manual_seed(derive(start.seed, start.role, "attack", self._step))

        def logits(pixels: Tensor) -> Tensor:
            found: Tensor = net.head(net.features(self._pixels.inputs(pixels)))
            return found

        with frozen_statistics(net):
            found = self._attack(logits, loss, self._pixels.pixels(x), generator)
        return self._pixels.inputs(found)

    def after_step(self, net: Net) -> None:
        """Move the average."""
        if self._average is not None:
            self._average.update(self._step)
        self._step += 1

    def evaluate(
        self, net: Net, feed: Feed, ids: NDArray[np.int64] | None = None
    ) -> tuple[dict[str, float], NDArray[np.int32]]:
        """Clean and robust accuracy and the classes predicted of untouched samples."""
        classes, held = attacked(self._shown(net), feed, self._evaluation, ids)
        single = held.pop("single")
        if single < held["robust_accuracy"] - _MASKED:
            self._warn_of_masking(single, held["robust_accuracy"])
        targets = feed.bank.targets if ids is None else feed.bank.targets[ids]
        return {"accuracy": float(np.mean(classes == targets)), **held}, classes

    def _warn_of_masking(self, single: float, many: float) -> None:
        self._start.warn(
            f"gradients look masked: {single:.1%} withstand one step of the attack, {many:.1%} "
            f"withstand {self.params.eval_steps}; do not trust the robust accuracy"
        )

    def conclude(self, net: Net, feed: Feed) -> dict[str, float]:
        """Accuracy under AutoAttack on some of the test samples, where it is asked for."""
        if not self.params.autoattack:
            return {}
        ids = auto.chosen(len(feed), self.params.autoattack)
        shown, pgd = self._shown(net), self._evaluation["robust_accuracy"][0]
        held = auto.withstood(shown, feed, self._ball, ids)
        square = auto.square_alone(shown, feed, self._ball, pgd, ids[~held])
        if square.sum() > _BLIND * len(ids):
            self._start.warn(
                f"gradients look masked: of {len(ids)} test samples {int(square.sum())} withstand "
                f"{self.params.eval_steps} steps of PGD and not Square, which reads no gradients; "
                "do not trust the robust accuracy, AutoAttack's is nearer the truth"
            )
        return {"autoattack_accuracy": float(held.mean())}

    def _shown(self, net: Net) -> Net:
        """The net that is evaluated and kept."""
        return net if self._average is None else self._average.net

    def finish(self, net: Net) -> None:
        """Leave the average in the net."""
        if self._average is not None:
            self._average.put_into(net)

    def state_dict(self) -> dict[str, Any]:
        """Steps done and the average."""
        average = self._average.state_dict() if self._average is not None else None
        return {"step": self._step, "average": average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._step = state["step"]
        if self._average is not None:
            self._average.load_state_dict(state["average"])


def _evaluation(ball: Ball, params: Params) -> Named:
    """One long step, PGD on cross entropy, and PGD on the margin where it is asked for."""
    starts, step = params.eval_restarts, ball.radius / 4
    found: Named = {
        "single": (Pgd(ball, 1, ball.radius), cross_entropy),
        "robust_accuracy": (Pgd(ball, params.eval_steps, step, starts), cross_entropy),
    }
    if params.eval_cw_steps:
        long = Pgd(ball, params.eval_cw_steps, step, starts)
        found = {**found, "cw_robust_accuracy": (long, margin)}
    return found


def make(params: Params, recipe: TrainSpec) -> Adversarial:
    """The paradigm for a training recipe."""
    return Adversarial(params, recipe.label_smoothing)
