"""A streaming mean of a number per window of epochs: the recorder behind trajectory scores."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.errors import UserError
from core.spec import WindowSpec

_CHUNK = 1 << 18


class WindowedMean:
    """Mean over windows of a number made of each window's values, per sample.

    ``statistic`` makes float32 ``[c]`` of a window's ``[J, c]``; None is the standard deviation.

    Keeps the last ``length`` values of each sample (a ring) and one running sum: 4 (J + 1) bytes
    a sample. Windows begin at every epoch from ``skip`` on and end within the ``epochs`` recorded;
    ``drop_last`` leaves the very last one out. Too few epochs for one window: UserError.
    """

    def __init__(
        self,
        m: int,
        epochs: int,
        window: WindowSpec,
        device: torch.device,
        statistic: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        needed = window.length + window.skip + int(window.drop_last)
        if epochs < needed:
            raise UserError(
                f"score.window needs {needed} epochs, the training has {epochs}",
                "train longer or set score.window.length lower",
            )
        self._window = window
        self._statistic = statistic or self._deviation
        self._epochs = epochs
        self._ring = torch.zeros(window.length, m, device=device)
        self._sum = torch.zeros(m, device=device)
        self._count = 0

    @property
    def bytes_per_sample(self) -> int:
        """Bytes kept per sample."""
        return 4 * (self._window.length + 1)

    def put(self, epoch: int, positions: Tensor, values: Tensor) -> None:
        """Values float32 ``[B]`` of this epoch at ``positions`` int64 ``[B]``."""
        self._ring[epoch % self._window.length].index_copy_(0, positions, values)

    def end_epoch(self, epoch: int) -> None:
        """Close the epoch; adds the window that ends with it, if it counts."""
        first = epoch - self._window.length + 1
        if first < self._window.skip or (self._window.drop_last and epoch == self._epochs - 1):
            return
        for at in range(0, len(self._sum), _CHUNK):  # bounds the scratch memory
            part = slice(at, at + _CHUNK)
            self._sum[part] += self._statistic(self._ring[:, part])
        self._count += 1

    def _deviation(self, values: Tensor) -> Tensor:
        return values.std(0, correction=self._window.ddof)

    def mean(self) -> Tensor:
        """Mean over all windows so far, float32 ``[m]``."""
        return self._sum / self._count

    def state_dict(self) -> dict[str, Tensor]:
        """Ring, sum and count."""
        return {"ring": self._ring, "sum": self._sum, "count": torch.tensor(self._count)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self._ring.copy_(state["ring"])
        self._sum.copy_(state["sum"])
        self._count = int(state["count"])
