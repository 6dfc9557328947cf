"""A random number for every sample: the score that every other must beat. Needs no net.

Unlike the baseline ``random``, it goes through the spec's policy, so it shows what the policy alone
is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

KIND = "given"
DIRECTION: Literal["high", "low"] = "high"
FORMULA = "uniform in [0, 1)"
READS = "nothing"
WHEN = "to see what a policy is worth without any score"


@dataclass(frozen=True)
class Random:
    """Uniform numbers."""

    def values(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """float32 ``[n]``."""
        return rng.random(n, dtype=np.float32)


def make(params: Any) -> Random:
    """The score; it has no options."""
    return Random()
