"""How well predictions agree with measured scores, as the summary says it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.bank import GENERATED
from core.metrics import bootstrap_interval, pearson, spearman
from core.rng import generator

Scores = NDArray[np.float32]
_DRAWN = 20_000_000
"""Samples in all draws of a bootstrap: a pool of millions is drawn less often."""


def with_interval(predicted: Scores, measured: Scores, seed: int) -> dict[str, Any]:
    """Correlations of two ``[n]`` vectors and the 95% interval of the rank correlation."""
    rng = generator(seed, "analysis", "bootstrap")
    draws = max(100, min(1000, _DRAWN // max(1, len(predicted))))
    interval = bootstrap_interval(predicted, measured, "spearman", rng, draws=draws)
    low, high = (None, None) if interval is None else interval
    return {
        "spearman": spearman(predicted, measured), "ci_low": low, "ci_high": high,
        "pearson": pearson(predicted, measured), "n": len(predicted),
    }  # fmt: skip


def held_out(predicted: Scores, measured: Scores, seed: int) -> dict[str, Any]:
    """The same on the held-out fold, against the subset's own scores: optimistic."""
    return {**with_interval(predicted, measured, seed), "against": "subset_scores"}


def of_generated(
    source: NDArray[np.uint8] | None,
    predicted: Scores,
    measured: Scores,
    full: Scores | None,
    fold: NDArray[np.int64],
    seed: int,
) -> dict[str, Any] | None:
    """Agreement on generated samples alone, where the data have real ones as well; else None.

    All but ``fold`` (ids of the held-out fold) are ``[N]``: ``source`` of each sample, predictions,
    ``measured`` (NaN where not scored) and the scores ``full`` of a training on all data, which
    judge the unscored samples.
    """
    if source is None or not (source == GENERATED).any() or (source == GENERATED).all():
        return None
    generated = np.asarray(source == GENERATED)
    own = fold[generated[fold]]
    unscored = np.flatnonzero(generated & np.isnan(measured))
    reference = None
    if full is not None and len(unscored):
        reference = with_interval(predicted[unscored], full[unscored], seed)
    return {"heldout": held_out(predicted[own], measured[own], seed), "reference": reference}
