"""Projected gradient descent (1706.06083): steps up a loss, projected into the ball each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.attacks.ball import Ball
from core.attacks.losses import AttackLoss
from core.errors import UserError

Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Pgd:
    """``steps`` steps of ``step`` pixel units from a random start; of ``restarts`` such attacks the
    example of the highest loss is kept, sample by sample."""

    ball: Ball
    steps: int
    step: float
    restarts: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.restarts < 1:
            raise UserError("an attack needs at least one step and one start")
        if not 0 < self.step < float("inf"):
            raise UserError(f"the attack's step is {self.step:g}", "give one above 0")

    def __call__(
        self, logits: Logits, loss: AttackLoss, x: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Adversarial examples of pixels ``x`` float32 ``[B, ...]`` in [0, 1], detached.

        ``logits`` is the net from pixels to ``[B, C]``; no gradient reaches its parameters.
        """
        best = self._attack(logits, loss, x, generator)
        if self.restarts == 1:
            return best
        with torch.no_grad():
            highest = loss(logits(best))
        for _ in range(1, self.restarts):
            other = self._attack(logits, loss, x, generator)
            with torch.no_grad():
                found = loss(logits(other))
            better = found > highest
            highest = torch.where(better, found, highest)
            best = torch.where(better.view(-1, *(1,) * (x.dim() - 1)), other, best)
        return best

    @property
    def passes(self) -> int:
        """Forward and backward passes of every sample: one a step and start."""
        return self.steps * self.restarts

    def _attack(
        self, logits: Logits, loss: AttackLoss, x: Tensor, generator: torch.Generator
    ) -> Tensor:
        adversarial, around = self.ball.start(x, generator), self.ball.around(x)
        for _ in range(self.steps):
            with torch.enable_grad():
                adversarial.requires_grad_()
                total = loss(logits(adversarial)).sum()
                (gradient,) = torch.autograd.grad(total, adversarial)
            adversarial = around.ascend(adversarial.detach(), gradient, self.step)
        return adversarial
