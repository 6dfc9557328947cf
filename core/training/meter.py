"""Running sums of a training, kept on the device, and the points and checks made of them."""

from __future__ import annotations

import math
from time import perf_counter

import torch
from torch import Tensor, nn

from core.errors import Diverged
from core.training.curve import Curve
from core.training.devices import synchronize
from core.units import steps_per_epoch

MAX_POINTS = 2000
"""Most points of the loss curve; longer runs average over several steps."""
HEALTH_EVERY = 50
"""Steps between two looks at the loss, each of which waits for the device."""


class Meter:
    """Loss and accuracy of ``total`` steps over ``samples`` ids in batches of ``batch``.

    ``sums`` is all its state: loss since the last point, loss since the last health check, correct
    answers in this epoch.
    """

    def __init__(
        self, curve: Curve, samples: int, batch: int, total: int, device: torch.device
    ) -> None:
        self.per_epoch = steps_per_epoch(samples, batch)
        self._curve = curve
        self._samples, self._batch, self._total = samples, batch, total
        self._point_every = max(1, total // MAX_POINTS)
        wide = torch.float32 if device.type == "mps" else torch.float64
        self.sums = torch.zeros(3, dtype=wide, device=device)
        self._loss, self._health, self._correct = self.sums.unbind()

    def add(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """One step's detached loss (scalar) and logits ``[B, C]``."""
        self._loss += loss
        self._health += loss
        self._correct += (logits.argmax(1) == targets).sum()

    def after_step(self, step: int, net: nn.Module, last: bool) -> None:
        """Record what is due after ``step`` finished steps, ``last`` being whether no other comes;
        Diverged when the net is unsound."""
        if last or step % self._point_every == 0:
            count = (step - 1) % self._point_every + 1
            self.point("train/loss", step, self._loss / count)
            self._loss.zero_()
        if last or step % self.per_epoch == 0:
            batches = (step - 1) % self.per_epoch + 1
            seen = min(batches * self._batch, self._samples)
            self.point("train/accuracy", step, self._correct / seen)
            self._correct.zero_()
        if last or step % HEALTH_EVERY == 0:
            self.check_health(step, net)

    def point(self, series: str, step: int, value: float | Tensor) -> None:
        """Record one value."""
        self._curve.add(series, step, step / self.per_epoch, value)

    def check_health(self, step: int, net: nn.Module) -> None:
        """Raise Diverged when a loss since the last check, or a weight, is not finite."""
        norms = torch.stack(torch._foreach_norm([p.detach() for p in net.parameters()]))
        if not (math.isfinite(self._health.item()) and bool(norms.isfinite().all())):
            self._curve.flush()
            raise Diverged(
                f"the loss is no longer finite (noticed at step {step} of {self._total})",
                "lower optimizer.lr, or give schedule.warmup a share of the steps",
            )
        self._health.zero_()


class Stopwatch:
    """Seconds of training and of evaluation, apart; waits for the device before it reads."""

    def __init__(self, device: torch.device) -> None:
        self.training = self.evaluation = 0.0
        self._device = device
        self._since = perf_counter()

    def lap(self, *, evaluation: bool = False) -> None:
        """Book the time since the last lap."""
        synchronize(self._device)
        now = perf_counter()
        if evaluation:
            self.evaluation += now - self._since
        else:
            self.training += now - self._since
        self._since = now

    def elapsed(self, *, wait: bool = False) -> float:
        """Seconds of training until now, where training goes on; ``wait`` for the device first."""
        if wait:
            synchronize(self._device)
        return self.training + perf_counter() - self._since
