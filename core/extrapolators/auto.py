"""Several methods, tuned and combined by cross-validation inside the scored samples.

Every method chooses its settings on one of three folds of the scored samples and predicts each fold
without having seen it; these predictions decide what is made of the methods: the best one alone,
the mean of their ranks, or a weighted sum with weights that are not negative (stacking, Breiman
1996). Which of the three is taken is chosen like any setting. The std is scaled so that 80% of the
predictions of unseen folds lie in their 80% interval.

No fold of the scored samples can judge a method that reads where a sample lies in the embedding of
a net that was trained on the scored samples: they lie where the net put them, and a method that
learns from that looks far better on them than on samples the net has not seen. So where the net is
such a one, methods that read no positions decide alone, if any is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.errors import UserError, nearest
from core.extrapolators import base
from core.extrapolators.base import Extrapolator, Features, Floats, Ids, Prediction
from core.metrics import Z80, spearman

FOLDS = 3
COMBINATIONS: tuple[Literal["best", "average", "stack"], ...] = ("best", "average", "stack")
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    methods: tuple[str, ...] = ("geometry", "kernel", "ridge", "trees")
    """Extrapolators that are tuned and combined; those that read positions only in embeddings of a
    net that was not trained on the scored samples, or where there are no others."""
    combine: Literal["auto", "best", "average", "stack"] = "auto"
    """best: the best alone; average: mean of ranks; stack: weighted sum; auto compares them."""
    use_labels: bool | Literal["auto"] = "auto"
    """Handed to all methods that have the option."""


class Auto(base.Extrapolator[Params]):
    """Candidates are the ways to combine that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if not given.methods:
            raise UserError("extrapolate.methods is empty", "name at least one extrapolator")
        for name in given.methods:
            if name == "auto" or name not in registry.names("extrapolator"):
                others = [n for n in registry.names("extrapolator") if n != "auto"]
                raise UserError(f"extrapolate.methods: '{name}' is none", nearest(name, others))
        self.given = given
        self.methods = {name: _made(name, given.use_labels) for name in given.methods}
        self.needs = frozenset[str]().union(*(m.needs for m in self.methods.values()))

    def candidates(self, m: int) -> list[Params]:
        """One setting per way; one method needs none."""
        if self.given.combine != "auto":
            return [self.given]
        ways = COMBINATIONS if len(self.methods) > 1 and m >= 2 * FOLDS else COMBINATIONS[:1]
        return [replace(self.given, combine=way) for way in ways]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Tune, cross-validate, refit all methods on all scored samples, combine."""
        targets = base.others(x, ids) if targets is None else targets
        return next(self.compare(x, ids, scores, [params], lambda: rng, targets))

    def compare(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        candidates: Sequence[Params],
        fresh_rng: Callable[[], np.random.Generator],
        targets: Ids,
    ) -> Iterator[Prediction]:
        """The methods' predictions are made once; combining them is cheap."""
        seed = int(fresh_rng().integers(2**62))
        parts = [
            fitted(method, x, ids, scores, seed + i, targets)
            for i, method in enumerate(judged(self.methods.values(), x))
        ]
        for params in candidates:
            out = Prediction.empty(len(x), scores.shape[1])
            for column in range(scores.shape[1]):
                values, std = combine(parts, scores[:, column], column, params.combine)
                out.values[targets, column], out.std[targets, column] = values, std
            yield out

    def cross_fitted(self, params: Params) -> tuple[Auto, Params] | None:
        """The dynamics alone, where they are among the methods."""
        if "dynamics" not in params.methods:
            return None
        alone = replace(params, methods=("dynamics",), combine="best")
        return Auto(alone), alone


def judged(methods: Iterable[Extrapolator[Any]], x: Features) -> list[Extrapolator[Any]]:
    """Those of ``methods`` that the scored samples can judge; all where they judge none."""
    known = list(methods)
    if x.trained_on is None:
        return known
    return [method for method in known if not method.positions] or known


def make(params: Params) -> Auto:
    """The extrapolator with the user's options."""
    return Auto(params)


@dataclass(frozen=True)
class Part:
    """One tuned method: on scored samples, each predicted without itself (``inside``, ``spread``
    ``[m, S]``), and on the targets (``values``, ``std`` ``[t, S]``)."""

    inside: Floats
    spread: Floats
    values: Floats
    std: Floats


def fitted(
    method: Extrapolator[Any], x: Features, ids: Ids, scores: Floats, seed: int, targets: Ids
) -> Part:
    """Tune a method on the first fold, predict every fold from the others, then the targets from
    all. Fewer than six scored samples are not cross-validated."""
    m = len(ids)
    settings = method.candidates(m)
    if m < 2 * FOLDS:
        out = method.fit_predict(x, ids, scores, settings[0], _rng(seed), targets)
        inside = np.tile(scores.mean(axis=0), (m, 1))
        return Part(inside, np.ones_like(inside), out.values[targets], out.std[targets])
    fold = np.random.default_rng(seed).permutation(m) % FOLDS
    inside, spread = np.empty_like(scores), np.empty_like(scores)
    best = settings[0]
    for part in range(FOLDS):
        out_, in_ = np.flatnonzero(fold == part), np.flatnonzero(fold != part)
        tried = settings if part == 0 else [best]
        found = list(method.compare(x, ids[in_], scores[in_], tried, lambda: _rng(seed), ids[out_]))
        reached = [spearman(p.values[ids[out_], 0], scores[out_, 0]) for p in found]
        at = max(range(len(tried)), key=lambda i: -2.0 if (r := reached[i]) is None else r)
        best = tried[at]
        inside[out_], spread[out_] = found[at].values[ids[out_]], found[at].std[ids[out_]]
    out = method.fit_predict(x, ids, scores, best, _rng(seed), targets)
    return Part(inside, spread, out.values[targets], out.std[targets])


def combine(parts: Sequence[Part], truth: Floats, column: int, way: str) -> tuple[Floats, Floats]:
    """Values and std ``[t]`` of one score, from the methods' predictions and ``truth`` ``[m]``."""
    inside = np.stack([p.inside[:, column] for p in parts], axis=1).astype(np.float64)
    outside = np.stack([p.values[:, column] for p in parts], axis=1).astype(np.float64)
    weights = _weights(inside, truth.astype(np.float64), way)
    if way == "average":
        inside, outside = _levels(inside, inside), _levels(inside, outside)
    scale, shift = _line(inside @ weights, truth.astype(np.float64))
    fitted_, values = shift + scale * (inside @ weights), shift + scale * (outside @ weights)
    share = weights / weights.sum()
    inner = np.stack([p.spread[:, column] for p in parts], axis=1) @ share
    outer = np.stack([p.std[:, column] for p in parts], axis=1) @ share
    floor = 1e-6 * (float(np.std(truth)) or 1.0)
    away = np.abs(fitted_ - truth) / np.maximum(inner, floor)
    factor = float(np.quantile(away, 0.8)) / Z80
    return values.astype(np.float32), (factor * np.maximum(outer, floor)).astype(np.float32)


def _weights(inside: Doubles, truth: Doubles, way: str) -> Doubles:
    """Of the methods, ``[B]``, not negative, not all zero."""
    count = inside.shape[1]
    if way == "average":
        return np.full(count, 1 / count)
    reached = [spearman(column, truth) for column in inside.T]
    best = max(range(count), key=lambda i: -2.0 if (r := reached[i]) is None else r)
    alone: Doubles = np.eye(count)[best]
    if way == "best":
        return alone
    from scipy.optimize import nnls

    # a ridge that pulls towards the mean of all: rows sqrt(penalty) * (w - 1/B)
    deviation = truth.std() or 1.0
    rows = (inside - inside.mean(axis=0)) / deviation
    pull = np.sqrt(0.02 * len(truth))
    system = np.concatenate([rows, pull * np.eye(count)])
    wanted = np.concatenate([(truth - truth.mean()) / deviation, np.full(count, pull / count)])
    found: Doubles = nnls(system, wanted)[0]
    return found if found.sum() > 0 else alone


def _levels(reference: Doubles, values: Doubles) -> Doubles:
    """Each column's values as levels 0..1 among the reference column's."""
    steps = (np.arange(len(reference)) + 0.5) / len(reference)
    columns = [np.interp(v, np.sort(r), steps) for r, v in zip(reference.T, values.T, strict=True)]
    return np.asarray(np.stack(columns, axis=1), dtype=np.float64)


def _line(given: Doubles, truth: Doubles) -> tuple[float, float]:
    """Slope (never negative) and intercept of the least-squares line."""
    apart = given - given.mean()
    square = float(apart @ apart)
    slope = max(0.0, float(apart @ truth) / square) if square > 0 else 0.0
    slope = slope or 1e-6  # the order of the predictions is kept even where it is worth nothing
    return slope, float(truth.mean() - slope * given.mean())


def _made(name: str, use_labels: bool | str) -> Extrapolator[Any]:
    module: Any = registry.load("extrapolator", name)
    options = {"use_labels": use_labels} if _has_labels(name) else {}
    made: Extrapolator[Any] = module.make(module.Params(**options))
    return made


def _has_labels(name: str) -> bool:
    return "use_labels" in registry.param_names("extrapolator", name) and name != "gnn"


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
