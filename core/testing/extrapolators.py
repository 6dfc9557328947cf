"""What every extrapolator must do. For one of your own::

    @pytest.mark.parametrize("check", extrapolators.CHECKS, ids=lambda check: check.__name__)
    def test_mine(check):
        check(lambda: my_module.make(my_module.Params()))

Each check raises AssertionError with a sentence. The problems are small and easy: scores that
follow the embeddings smoothly.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.extrapolators.base import Extrapolator, Features, Floats, Ids, Prediction, others
from core.metrics import spearman
from core.neighbors import among_all

Make = Callable[[], Extrapolator[Any]]


@dataclass(frozen=True)
class Problem:
    """Features of all samples, the scored ids, their scores, and the truth of all samples."""

    x: Features
    ids: Ids
    scores: Floats
    truth: Floats


def problem(
    size: int = 300, scored: int = 90, width: int = 6, scale: float = 1.0, *, positions: bool = True
) -> Problem:
    """Two smooth scores of samples around five centres; ``scale`` stretches the embeddings. Without
    ``positions`` the scores are cosines with the own centre and the nearest other one."""
    rng = np.random.default_rng(11)
    centres = rng.standard_normal((5, width)) * 2
    labels = rng.integers(5, size=size)
    points = centres[labels] + 0.5 * rng.standard_normal((size, width))
    directions = rng.standard_normal((width, 2))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    truth = (unit @ directions).astype(np.float32)
    if not positions:
        cosines = unit @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
        own = cosines[np.arange(size), labels]
        cosines[np.arange(size), labels] = -1
        truth = np.stack([-own, cosines.max(axis=1)], axis=1).astype(np.float32)
    ids = np.sort(rng.permutation(size)[:scored])
    embeddings = (scale * points).astype(np.float32)
    near = among_all(embeddings, min(20, size - 1), threads=1)
    watched = np.tanh(unit @ directions @ rng.standard_normal((2, 6))).astype(np.float32)
    x = Features(embeddings, labels.astype(np.int64), near, watched, threads=1)
    return Problem(x, ids, truth[ids], truth)


def check_candidates(make: Make) -> None:
    """At least one setting however few samples are scored, repeatable, and writable as JSON."""
    for m in (2, 10, 90, 5000):
        found = make().candidates(m)
        assert found, f"no candidate for {m} scored samples"
        assert found == make().candidates(m), "candidates differ from call to call"
        unique = {json.dumps(asdict(params), sort_keys=True) for params in found}
        assert len(unique) == len(found), "the same candidate twice"


def check_predicts_every_unscored_sample(make: Make) -> None:
    """Float32 ``[N, S]``, finite for each sample without a score, spread never negative."""
    case = problem()
    for params in make().candidates(len(case.ids)):
        out = _predict(make, case, params)
        todo = others(case.x, case.ids)
        for part in (out.values, out.std):
            assert part.shape == case.truth.shape, f"shape {part.shape}"
            assert part.dtype == np.float32, f"type {part.dtype}"
            assert np.isfinite(part[todo]).all(), "a sample was left without a prediction"
        assert (out.std[todo] >= 0).all(), "a negative standard deviation"


def check_follows_a_smooth_score(make: Make) -> None:
    """On an easy problem the best candidate ranks unseen samples well, both scores."""
    case = problem(positions=make().positions)
    todo = others(case.x, case.ids)
    worst_of_best = [
        max(_agreement(out.values[todo, s], case.truth[todo, s]) for out in _all(make, case))
        for s in range(case.truth.shape[1])
    ]
    assert min(worst_of_best) > 0.5, f"rank correlation {min(worst_of_best):.2f} on an easy problem"


def check_survives_large_norms(make: Make) -> None:
    """Finite and useful with 200 dimensions and norms in the thousands."""
    case = problem(width=200, scale=300.0, positions=make().positions)
    todo = others(case.x, case.ids)
    found = [out.values[todo, 0] for out in _all(make, case)]
    assert all(np.isfinite(values).all() for values in found), "NaN where norms are large"
    best = max(_agreement(values, case.truth[todo, 0]) for values in found)
    assert best > 0.3, f"rank correlation {best:.2f} where norms are large"


def check_repeatable(make: Make) -> None:
    """The same inputs and generator give the same bits; nothing else is random."""
    case = problem()
    params = make().candidates(len(case.ids))[0]
    found = []
    for state in (1, 2):
        np.random.seed(state)
        found.append(_predict(make, case, params))
    assert np.array_equal(found[0].values, found[1].values, equal_nan=True), "values differ"
    assert np.array_equal(found[0].std, found[1].std, equal_nan=True), "spreads differ"


def check_input_untouched(make: Make) -> None:
    """Neither the features nor the scores are written to."""
    case, before = problem(), problem()
    _predict(make, case, make().candidates(len(case.ids))[0])
    assert np.array_equal(case.x.embeddings, before.x.embeddings), "the embeddings were changed"
    assert np.array_equal(case.scores, before.scores), "the scores were changed"
    assert np.array_equal(case.ids, before.ids), "the ids were changed"


def check_targets(make: Make) -> None:
    """Only the targets asked for are predicted."""
    case = problem()
    targets = others(case.x, case.ids)[5:25]
    params = make().candidates(len(case.ids))[0]
    out = _predict(make, case, params, targets)
    rest = np.setdiff1d(np.arange(len(case.x)), targets)
    assert np.isfinite(out.values[targets]).all(), "a target was left out"
    assert np.isnan(out.values[rest]).all(), "a sample that is no target was predicted"


def check_compare_matches_fit_predict(make: Make) -> None:
    """Candidates compared together predict what each predicts alone."""
    case = problem()
    targets = others(case.x, case.ids)[:40]
    settings = make().candidates(len(case.ids))
    together = make().compare(case.x, case.ids, case.scores, settings, _rng, targets)
    for params, out in zip(settings, together, strict=True):
        alone = _predict(make, case, params, targets)
        assert np.allclose(out.values[targets], alone.values[targets], atol=1e-5), str(params)
        assert np.allclose(out.std[targets], alone.std[targets], atol=1e-4), str(params)


CHECKS: tuple[Callable[[Make], None], ...] = (
    check_candidates,
    check_predicts_every_unscored_sample,
    check_follows_a_smooth_score,
    check_survives_large_norms,
    check_repeatable,
    check_input_untouched,
    check_targets,
    check_compare_matches_fit_predict,
)


def _predict(make: Make, case: Problem, params: Any, targets: Ids | None = None) -> Prediction:
    return make().fit_predict(case.x, case.ids, case.scores, params, _rng(), targets)


def _all(make: Make, case: Problem) -> list[Prediction]:
    return [_predict(make, case, params) for params in make().candidates(len(case.ids))]


def _agreement(a: Floats, b: Floats) -> float:
    return spearman(a, b) or 0.0


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)
