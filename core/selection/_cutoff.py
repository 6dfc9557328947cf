"""The hard cut-off of CCS (2210.15809), shared by the policies that begin with one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.errors import UserError, nearest
from core.selection.base import Ids, SelectionInput, highest

PUBLISHED: Mapping[str, Mapping[float, float]] = {
    "cifar10": {0.3: 0.0, 0.5: 0.0, 0.7: 0.1, 0.8: 0.1, 0.9: 0.3},
    "cifar100": {0.3: 0.1, 0.5: 0.2, 0.7: 0.2, 0.8: 0.4, 0.9: 0.5},
    "imagenet": {0.3: 0.0, 0.5: 0.1, 0.7: 0.2, 0.8: 0.2, 0.9: 0.3},
}
"""Share cut off by rate. CIFAR-10 at 90% and ImageNet at 80 and 90% are in the authors' README."""
_SLACK = 1e-3  # a rate that was made of rounded counts is still that rate


def cutoff_at(cutoff: float | str, rate: float) -> float:
    """The share of all samples that is cut off at a rate: ``cutoff`` itself, or what was published
    for the dataset it names at the nearest rate that is not higher. More than is pruned, or no
    share at all: UserError."""
    if isinstance(cutoff, str):
        if cutoff not in PUBLISHED:
            raise UserError(f"prune.cutoff: '{cutoff}' is not known", nearest(cutoff, PUBLISHED))
        known = [share for r, share in PUBLISHED[cutoff].items() if r <= rate + _SLACK]
        cutoff = known[-1] if known else 0.0
    if not 0 <= cutoff < 1:
        raise UserError(f"prune.cutoff is {cutoff:g}", "it is a share of all samples, from 0 to 1")
    if cutoff > rate + _SLACK:
        raise UserError(
            f"prune.cutoff drops {cutoff:.0%} of the samples, but at rate {rate:.4g} only "
            f"{rate:.0%} are to be pruned",
            "lower prune.cutoff, raise the rate, or leave this method out",
        )
    return float(cutoff)


def without_hardest(table: SelectionInput, cutoff: float, by: str | None, n_keep: int) -> Ids:
    """Rows left, sorted, when the share ``cutoff`` that is hardest by the companion score ``by``
    (None: by the score itself) is dropped; at least ``n_keep``."""
    cut = min(round(cutoff * len(table)), len(table) - n_keep)
    hardness = table.score
    if by is not None:
        column = table.columns[by]
        hardness = column if table.directions.get(by, "high") == "high" else -column
    left = np.ones(len(table), dtype=bool)
    left[highest(hardness, cut)] = False
    return np.flatnonzero(left).astype(np.int64)
