"""Chooses an extrapolator's settings from the scored samples alone, then predicts the rest.

One fold of 20% of the scored samples is set aside, every candidate is fitted on the others and
judged by Spearman's correlation of the first score on the fold, and the best is fitted again on all
scored samples. The figure it reaches on the fold is agreement with the *subset's own scores*, on
embeddings of a net that saw these samples: it is optimistic, and must be labelled so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.errors import RunFailure, UserError
from core.extrapolators.base import Extrapolator, Features, Floats, Ids, P, Prediction
from core.metrics import bootstrap_interval, coverage80, pearson, spearman
from core.rng import generator

FOLD = 0.2


@dataclass(frozen=True)
class Candidate:
    """One setting, what it reached on the fold (None: undefined) and whether it was taken."""

    params: dict[str, Any]
    heldout: float | None
    chosen: bool


@dataclass(frozen=True)
class HeldOut:
    """The winner on the fold: ``ids`` int64 ``[f]``, ``predictions`` and ``std`` float32
    ``[f, S]``; for the first score its correlations and the coverage of its 80% interval."""

    ids: Ids
    predictions: Floats
    std: Floats
    spearman: float | None
    ci_low: float | None
    ci_high: float | None
    pearson: float | None
    coverage80: float | None

    def as_json(self) -> dict[str, Any]:
        """As it stands in ``summary.json``."""
        figures = {
            "spearman": self.spearman,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "pearson": self.pearson,
        }
        return {**figures, "n": len(self.ids), "against": "subset_scores"}


@dataclass(frozen=True)
class Choice:
    """The winner's prediction for all unscored samples, and how it was found."""

    prediction: Prediction
    chosen: dict[str, Any]
    heldout: HeldOut
    candidates: tuple[Candidate, ...]


def choose(
    extrapolator: Extrapolator[P],
    x: Features,
    ids: Ids,
    scores: Floats,
    seed: int,
    emit: Callable[[Candidate], None] | None = None,
) -> Choice:
    """Choose among the candidates, refit the winner on all of ``scores`` ``[m, S]`` of ``ids``.

    ``emit`` is called once per candidate, in the order of the candidates, before the refit. Of
    equal candidates the first wins; an undefined correlation loses to any other.
    """
    ids, scores = _checked(x, ids, scores)
    fold, rest = split(len(ids), generator(seed, "analysis", "fold"))
    settings = extrapolator.candidates(len(ids))
    predictions = extrapolator.compare(
        x,
        ids[rest],
        scores[rest],
        settings,
        lambda: generator(seed, "analysis", "extrapolate", 0),
        ids[fold],
    )
    on_fold = [(made.values[ids[fold]], made.std[ids[fold]]) for made in predictions]
    reached = [spearman(values[:, 0], scores[fold, 0]) for values, _ in on_fold]
    best = max(range(len(settings)), key=lambda i: -2.0 if (r := reached[i]) is None else r)
    table = tuple(
        Candidate(asdict(params), value, i == best)
        for i, (params, value) in enumerate(zip(settings, reached, strict=True))
    )
    for candidate in table:
        if emit is not None:
            emit(candidate)
    rng = generator(seed, "analysis", "extrapolate", 1)
    return Choice(
        prediction=extrapolator.fit_predict(x, ids, scores, settings[best], rng),
        chosen=table[best].params,
        heldout=_heldout(ids[fold], *on_fold[best], scores[fold, 0], seed),
        candidates=table,
    )


def judged(
    extrapolator: Extrapolator[P], x: Features, ids: Ids, scores: Floats, seed: int, params: P
) -> Floats:
    """Predictions float32 ``[f, S]`` of the fold that :func:`choose` holds out, with these settings
    fitted on the other scored samples."""
    ids, scores = _checked(x, ids, scores)
    fold, rest = split(len(ids), generator(seed, "analysis", "fold"))
    rng = generator(seed, "analysis", "extrapolate", 0)
    made = extrapolator.fit_predict(x, ids[rest], scores[rest], params, rng, ids[fold])
    return made.values[ids[fold]]


def split(m: int, rng: np.random.Generator) -> tuple[Ids, Ids]:
    """Positions 0..m-1 in two sorted parts: the fold (20%, at least one) and the rest."""
    order = rng.permutation(m)
    size = max(1, round(FOLD * m))
    return np.sort(order[:size]), np.sort(order[size:])


def _heldout(ids: Ids, predictions: Floats, std: Floats, truth: Floats, seed: int) -> HeldOut:
    first = predictions[:, 0]
    rng = generator(seed, "analysis", "bootstrap")
    interval = bootstrap_interval(first, truth, "spearman", rng)
    low, high = (None, None) if interval is None else interval
    return HeldOut(
        ids, predictions, std, spearman(first, truth), low, high, pearson(first, truth),
        coverage80(first, std[:, 0], truth),
    )  # fmt: skip


def _checked(x: Features, ids: Ids, scores: Floats) -> tuple[Ids, Floats]:
    """Ids int64 ``[m]``, scores float32 ``[m, S]`` (a vector is one score), or an error."""
    ids = np.asarray(ids, dtype=np.int64)
    scores = np.asarray(scores, dtype=np.float32)
    scores = scores[:, None] if scores.ndim == 1 else scores
    if len(ids) != len(scores):
        raise ValueError(f"{len(ids)} ids come with {len(scores)} scores")
    if len(ids) < 2:
        raise UserError(
            f"{len(ids)} scored samples are too few to extrapolate from", "raise subset.fraction"
        )
    if len(np.unique(ids)) < len(ids) or ids.min() < 0 or ids.max() >= len(x):
        raise ValueError(f"ids must be unique and within 0..{len(x) - 1}")
    bad = int((~np.isfinite(scores)).any(axis=1).sum())
    if bad:
        raise RunFailure(
            f"{bad} of {len(ids)} scored samples have a score that is NaN or infinite",
            "look at the loss curve of the scoring run",
        )
    return ids, scores
