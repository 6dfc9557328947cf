"""RS2 (2305.18424): every epoch trains on a fresh random part of all samples.

Without replacement: one permutation after the other is walked through, and an epoch that reaches
the end of one goes on with the next. So the visits of two samples never differ by more than one,
where published code forgets what was left of a permutation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.training.sampler import Sampler


class RepeatedRandom(Sampler):
    """Draws nothing that depends on the training."""

    def order(self, epoch: int, progress: float) -> NDArray[np.int64]:
        """Positions epoch * count .. of all permutations put end to end."""
        first, stop = epoch * self.count, (epoch + 1) * self.count
        parts = []
        for number in range(first // self.total, (stop - 1) // self.total + 1):
            offset = number * self.total
            parts.append(self.permutation(number)[max(0, first - offset) : stop - offset])
        return np.concatenate(parts)
