"""Brings predictions to the distribution of measured scores before the two are merged.

A prediction is an average, so it spreads less than the scores it averages. Merged as it is, the
tails of the merged vector belong to the measured samples alone, and pruning hard would mostly keep
the subset. Matching quantiles takes that away and leaves the predictions' order as it was.
"""

from __future__ import annotations

import numpy as np

from core.extrapolators.base import Floats
from core.metrics import midranks


def match_distribution(predictions: Floats, reference: Floats) -> Floats:
    """``predictions`` ``[p]`` mapped to the distribution of ``reference`` ``[m]``: float32 ``[p]``.

    The prediction at midrank r becomes the quantile (r - 0.5) / p of the reference, interpolated
    between its sorted values at (i - 0.5) / m. Equal predictions stay equal; NaN stays NaN.
    """
    if not len(reference):
        raise ValueError("there are no measured scores to match")
    out = np.full(len(predictions), np.nan, dtype=np.float32)
    known = ~np.isnan(predictions)
    if known.any():
        level = (midranks(predictions[known]) - 0.5) / int(known.sum())
        steps = (np.arange(len(reference)) + 0.5) / len(reference)
        out[known] = np.interp(level, steps, np.sort(reference))
    return out
