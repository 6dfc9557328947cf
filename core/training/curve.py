"""Curves of a training run: recorded without waiting for the device, emitted in batches.

*Which* points exist depends on nothing but the step count; the clock only decides how they are
grouped into batches. So an interrupted and resumed run has the curve of an undisturbed one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Emit = Callable[[str, list[int], list[float], list[float]], None]
MIN_INTERVAL = 0.5
"""Seconds between two batches of a series (at most 2 a second)."""


class Curve:
    """Collects (series, step, epoch, value); values may be scalar tensors still on the device.

    ``emit(series, steps, epochs, values)`` gets every point once. ``history`` holds all points of
    the run, those from before a resume included: it is sealed with the stage. A value that is not
    finite is left out of both: a gap.
    """

    def __init__(
        self, emit: Emit | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.history: dict[str, dict[str, list[Any]]] = {}
        self._emit = emit
        self._clock = clock
        self._last_flush = -float("inf")
        self._pending: list[tuple[str, int, float, float | Tensor]] = []

    def add(self, series: str, step: int, epoch: float, value: float | Tensor) -> None:
        """Record one point. A tensor must not be changed afterwards."""
        self._pending.append((series, step, epoch, value))

    def tick(self) -> None:
        """Emit what is pending if the last batch was long enough ago."""
        if self._pending and self._clock() - self._last_flush >= MIN_INTERVAL:
            self.flush()

    def flush(self) -> None:
        """Emit everything now (one wait for the device)."""
        if not self._pending:
            return
        self._last_flush = self._clock()
        pending, self._pending = self._pending, []
        batches: dict[str, tuple[list[int], list[float], list[float]]] = {}
        for (series, step, epoch, _), value in zip(pending, _numbers(pending), strict=True):
            if not math.isfinite(value):
                continue
            steps, epochs, values = batches.setdefault(series, ([], [], []))
            steps.append(step)
            epochs.append(epoch)
            values.append(value)
        for series, (steps, epochs, values) in batches.items():
            kept = self.history.setdefault(series, {"step": [], "epoch": [], "value": []})
            kept["step"] += steps
            kept["epoch"] += epochs
            kept["value"] += values
            if self._emit is not None:
                self._emit(series, steps, epochs, values)

    def state_dict(self) -> dict[str, Any]:
        """The history. Flush first: pending points are not part of it."""
        return {s: {k: list(v) for k, v in part.items()} for s, part in self.history.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a history; its points were emitted before and are not emitted again."""
        self.history = {s: {k: list(v) for k, v in part.items()} for s, part in state.items()}
        self._pending = []


def _numbers(pending: list[tuple[str, int, float, float | Tensor]]) -> list[float]:
    """All values as Python floats, copied from the device in one go."""
    tensors = [value.reshape(()) for *_, value in pending if isinstance(value, Tensor)]
    read = iter(torch.stack(tensors).double().tolist() if tensors else [])
    return [next(read) if isinstance(v, Tensor) else float(v) for *_, v in pending]
