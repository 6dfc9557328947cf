"""The ball around every picture in which an adversarial example must lie, and steps inside it.

Pixels are float32 in [0, 1], ``[B, C, H, W]`` or any ``[B, ...]``; the radius is in the same units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.errors import UserError

Norm = Literal["linf", "l2"]
_TINY = 1e-12
"""Keeps a gradient of zero from being divided by zero; the step is zero then."""


@dataclass(frozen=True)
class Ball:
    """All pictures of [0, 1] pixels whose distance by ``norm`` is at most ``radius``."""

    norm: Norm
    radius: float

    def __post_init__(self) -> None:
        if not 0 < self.radius < float("inf"):
            raise UserError(f"the attack's radius is {self.radius:g}", "give one above 0")

    def start(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A random point of every ball: uniform in the cube (linf), or in a random direction at a
        uniformly drawn distance (l2)."""
        if self.norm == "linf":
            noise = torch.rand(x.shape, generator=generator, device=x.device) * 2 - 1
            return self.project(x, x + self.radius * noise)
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        share = torch.rand(len(x), generator=generator, device=x.device)
        direction = noise / _lengths(noise).clamp_min(_TINY)
        return self.project(x, x + self.radius * direction * _wide(share, x))

    def ascend(self, x: Tensor, adversarial: Tensor, gradient: Tensor, step: float) -> Tensor:
        """One step of length ``step`` along the steepest direction of the norm, then projected."""
        return self.around(x).ascend(adversarial, gradient, step)

    def project(self, x: Tensor, adversarial: Tensor) -> Tensor:
        """The point of the ball and of [0, 1] next to ``adversarial`` (l2: first into the ball,
        then into [0, 1], which only brings it nearer to ``x``)."""
        return self.around(x).project(adversarial)

    def around(self, x: Tensor) -> Around:
        """The balls around ``x``, for many steps in them."""
        return Around(self, x)

    def distance(self, x: Tensor, adversarial: Tensor) -> Tensor:
        """Distance of every sample by the norm, ``[B]``."""
        moved = (adversarial - x).flatten(1)
        return moved.abs().amax(1) if self.norm == "linf" else moved.norm(dim=1)


class Around:
    """The balls around one batch; what every step needs of them is made once."""

    def __init__(self, ball: Ball, x: Tensor) -> None:
        self._ball, self._x = ball, x
        if ball.norm == "linf":
            self._low = (x - ball.radius).clamp_(min=0.0)
            self._high = (x + ball.radius).clamp_(max=1.0)

    def ascend(self, adversarial: Tensor, gradient: Tensor, step: float) -> Tensor:
        """See :meth:`Ball.ascend`."""
        if self._ball.norm == "linf":
            return self.project(torch.add(adversarial, gradient.sign(), alpha=step))
        unit = gradient / _lengths(gradient).clamp_min(_TINY)
        return self.project(torch.add(adversarial, unit, alpha=step))

    def project(self, adversarial: Tensor) -> Tensor:
        """See :meth:`Ball.project`."""
        if self._ball.norm == "linf":
            return torch.clamp(adversarial, self._low, self._high)
        moved = adversarial - self._x
        shrink = (self._ball.radius / _lengths(moved).clamp_min(_TINY)).clamp_max(1.0)
        return torch.addcmul(self._x, moved, shrink).clamp_(0.0, 1.0)


def _lengths(x: Tensor) -> Tensor:
    """Euclidean length of every sample, shaped ``[B, 1, ...]`` to be divided by."""
    return _wide(x.flatten(1).norm(dim=1), x)


def _wide(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *(1,) * (like.dim() - 1))
