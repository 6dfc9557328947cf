"""Policies with strata, draws and graphs: by hand, against slow references, what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.selection import beta, coverage, graph, moderate, score_sampling
from core.selection._cutoff import PUBLISHED, cutoff_at
from core.selection._draw import weighted
from core.selection.base import SelectionInput, highest, keep
from core.testing.policies import example


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def table(score: Any, **more: Any) -> SelectionInput:
    return SelectionInput(np.asarray(score, dtype=np.float32), **more)


# ---- weighted draws


def test_weighted_draws_are_one_after_the_other_in_proportion() -> None:
    """Every ordered pair of four has a known probability; 6,000 draws agree with it."""
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    expected = np.zeros((4, 4))
    for i, j in permutations(range(4), 2):
        expected[min(i, j), max(i, j)] += weights[i] * weights[j] / (1 - weights[i])
    generator, seen = rng(), np.zeros((4, 4))
    for _ in range(6_000):
        i, j = weighted(np.log(weights), 2, generator)
        seen[i, j] += 1 / 6_000
    assert np.abs(seen - expected).max() < 0.03


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_draws_are_exact_where_many_weights_are_zero(n: int) -> None:
    """Three of ten weights are above zero: they come first, the others fill up."""
    logs = np.full(10, -np.inf)
    logs[[2, 5, 7]] = [0.0, -1.0, -2000.0]  # the last is not zero, only tiny
    chosen = weighted(logs, n, rng())
    assert len(np.unique(chosen)) == len(chosen) == n
    assert len({2, 5, 7} & set(chosen.tolist())) == min(n, 3)
    assert n != 2 or 7 not in chosen


def test_score_sampling_weighs_by_the_score() -> None:
    kept = [keep(score_sampling, table([0, 1, 3]), 1, 2 / 3, rng(s))[0] for s in range(2000)]
    counts = np.bincount(kept, minlength=3) / 2000
    np.testing.assert_allclose(counts, [0, 0.25, 0.75], atol=0.03)


def test_score_sampling_goes_from_even_to_top_k() -> None:
    scores = rng().normal(size=400)
    means = []
    for power in (0.0, 1.0, 4.0, 200.0):
        rows = table(scores, params=score_sampling.Params(power))
        means.append(scores[keep(score_sampling, rows, 40, 0.9, rng(1))].mean())
    assert means == sorted(means)
    top = table(scores, params=score_sampling.Params(1e6))
    assert np.array_equal(keep(score_sampling, top, 3, 0.9, rng()), highest(scores, 3))


@pytest.mark.parametrize("scores", [[2, 2, 2, 2], [np.inf, -np.inf, 0, 1], [np.inf] * 4])
def test_score_sampling_of_odd_scores(scores: list[float]) -> None:
    assert len(keep(score_sampling, table(scores), 3, 0.25, rng())) == 3


def test_a_negative_power_is_refused() -> None:
    with pytest.raises(UserError, match=r"prune\.power is -1"):
        score_sampling.check(score_sampling.Params(-1), 0.5)


# ---- moderate


def test_moderate_by_hand() -> None:
    """Distances 0 .. 4 from the medians of two classes; two are pruned at either end."""
    x = np.array([[0, 0], [1, 0], [-2, 0], [10, 0], [13, 0], [7, 0], [10, -4], [10, 4.5]])
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    embeddings = x.astype(np.float32)
    np.testing.assert_allclose(moderate.distances(embeddings, labels), [0, 1, 2, 0, 3, 3, 4, 4.5])
    rows = table(np.zeros(8), labels=labels, embeddings=embeddings)
    assert keep(moderate, rows, 4, 0.5, rng()).tolist() == [1, 2, 4, 5]  # kept, not pruned


def test_moderate_keeps_the_middle_and_not_the_ends() -> None:
    rows = example()
    assert rows.embeddings is not None and rows.labels is not None
    d = []
    for i in range(len(rows)):
        own = rows.embeddings[rows.labels == rows.labels[i]]
        d.append(math.dist(rows.embeddings[i], np.median(own, axis=0)))
    order = sorted(range(97), key=lambda i: d[i])
    assert keep(moderate, rows, 41, 56 / 97, rng()).tolist() == sorted(order[28:69])


# ---- coverage


def test_budgets_by_hand() -> None:
    """Smallest bin first, each at most an equal part of what is left; empty bins pass theirs on."""
    assert coverage.budgets(np.array([10, 1, 5, 0]), 9).tolist() == [4, 1, 4, 0]
    assert coverage.budgets(np.array([2, 2, 2]), 5).tolist() == [1, 2, 2]
    assert coverage.budgets(np.array([3, 100]), 50).tolist() == [3, 47]


@pytest.mark.parametrize("seed", range(40))
def test_budgets_sum_and_never_exceed_a_bin(seed: int) -> None:
    sizes = rng(seed).integers(0, 30, 50) * (rng(seed + 99).random(50) < 0.6)
    for n in {1, 7, int(sizes.sum()) // 2, max(1, int(sizes.sum()) - 1), max(1, int(sizes.sum()))}:
        quota = coverage.budgets(sizes, n)
        assert quota.sum() == n and (quota <= sizes).all()


@pytest.mark.parametrize("shift", [-10.0, 0.0, 10.0])
def test_strata_hold_every_score_whatever_its_sign(shift: float) -> None:
    """With a negative maximum, an upper edge of 1.0001 times the maximum would lose the top."""
    score = (np.arange(9) / 8 + shift).astype(np.float32)
    assert coverage.strata(score, 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert coverage.strata(np.array([-np.inf, 0, 1, np.inf], np.float32), 2).tolist() == [
        0,
        0,
        1,
        1,
    ]
    assert set(coverage.strata(np.full(4, shift, np.float32), 5)) == {0}


def slow_coverage(score: Any, hardness: Any, cut: int, count: int, n: int) -> list[int]:
    """How many are kept of each bin of equal width, after the ``cut`` hardest are gone."""
    rest = sorted(range(len(score)), key=lambda i: (-hardness[i], i))[cut:]
    low, high = min(score[i] for i in rest), max(score[i] for i in rest)
    bins: list[list[int]] = [[] for _ in range(count)]
    for i in rest:
        bins[min(int((score[i] - low) / (high - low) * count), count - 1)].append(i)
    left, kept = n, [0] * count
    order = sorted(range(count), key=lambda b: (len(bins[b]), b))
    for seen, b in enumerate(order):
        kept[b] = min(len(bins[b]), left // (count - seen))
        left -= kept[b]
    return kept


@pytest.mark.parametrize("direction", ["low", "high"])
def test_coverage_is_the_published_procedure(direction: str) -> None:
    score, aum = rng(1).normal(size=(2, 300)).astype(np.float32)
    params = coverage.Params(cutoff=0.3, strata=10)
    rows = table(score, columns={"aum": aum}, directions={"aum": direction}, params=params)
    kept = keep(coverage, rows, 60, 0.8, rng())
    hardness = (-aum if direction == "low" else aum).tolist()
    hardest = sorted(range(300), key=lambda i: -hardness[i])[:90]
    assert not set(hardest) & set(kept.tolist())
    rest = np.setdiff1d(np.arange(300), hardest)
    bins = dict(zip(rest.tolist(), coverage.strata(score[rest], 10).tolist(), strict=True))
    counts = np.bincount([bins[i] for i in kept.tolist()], minlength=10)
    assert counts.tolist() == slow_coverage(score.astype(float), hardness, 90, 10, 60)


def test_coverage_draws_evenly_within_a_bin() -> None:
    score = np.r_[np.zeros(10), np.ones(10)].astype(np.float32)
    rows = table(score, params=coverage.Params(by=None, strata=2))
    times = np.zeros(20)
    for seed in range(500):
        times[keep(coverage, rows, 8, 0.6, rng(seed))] += 1
    assert times[:10].sum() == times[10:].sum() == 4 * 500
    assert np.abs(times / 500 - 0.4).max() < 0.1


def test_the_score_itself_can_be_cut_by() -> None:
    rows = table(np.arange(10), params=coverage.Params(cutoff=0.3, by=None))
    assert keep(coverage, rows, 7, 0.3, rng()).tolist() == list(range(7))


def test_published_cutoffs_by_rate() -> None:
    assert cutoff_at("cifar10", 0.9) == 0.3 and cutoff_at("imagenet", 0.8) == 0.2
    assert cutoff_at("cifar100", 0.85) == 0.4 and cutoff_at("cifar100", 0.1) == 0.0
    assert cutoff_at("imagenet", 0.95) == 0.3
    for name, shares in PUBLISHED.items():
        assert all(cutoff_at(name, rate) <= rate for rate in shares)


@pytest.mark.parametrize(
    ("params", "rate", "said"),
    [
        (coverage.Params(cutoff=0.4), 0.3, "drops 40% of the samples, but at rate 0.3 only 30%"),
        (coverage.Params(cutoff=1.0), 0.9, "a share of all samples"),
        (coverage.Params(cutoff="cifar"), 0.9, "did you mean 'cifar10'"),
        (coverage.Params(strata=0), 0.9, "prune.strata is 0"),
    ],
)
def test_impossible_coverage_is_refused(params: Any, rate: float, said: str) -> None:
    with pytest.raises(UserError, match=said):
        coverage.check(params, rate)
    with pytest.raises(UserError):
        rows = table(np.arange(20), columns={"aum": np.arange(20, dtype=np.float32)}, params=params)
        keep(coverage, rows, round(20 * (1 - rate)), rate, rng())


# ---- beta


def test_beta_shape_by_hand() -> None:
    """mD = .2 over the ten best: B = 15 * .8 * (1 - .5^4) = 11.25, A = 4.75."""
    m = np.full(30, 0.9, np.float32)
    m[:10] = [0.1, 0.3] * 5
    score = np.r_[np.full(10, 2.0), np.ones(20)].astype(np.float32)
    a, b = beta.shape(score, m, 0.5, beta.Params())
    assert (a, b) == (pytest.approx(4.75), pytest.approx(11.25))
    for rate in (0.1, 0.3, 0.5, 0.9, 0.999):
        assert sum(beta.shape(score, m, rate, beta.Params())) == pytest.approx(16)


def density(m: np.ndarray[Any, Any], a: float, b: float) -> np.ndarray[Any, Any]:
    """Beta(a, b), written out."""
    constant = math.gamma(a + b) / (math.gamma(a) * math.gamma(b))
    return np.array([constant * v ** (a - 1) * (1 - v) ** (b - 1) for v in m.astype(float)])


def test_beta_density_is_the_distribution_s() -> None:
    m = np.linspace(0.05, 0.95, 19).astype(np.float32)
    found = beta.log_density(m, 4.75, 11.25)
    expected = np.log(density(m, 4.75, 11.25))
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-6)


def test_the_weight_moves_to_easy_samples_with_the_rate() -> None:
    m = rng(2).random(2000).astype(np.float32)
    score = (rng(3).random(2000) * (1 - m)).astype(np.float32)
    rows = table(score, columns={"mean_probability": m})
    kept = [m[keep(beta, rows, 100, r, rng())].mean() for r in (0.3, 0.7, 0.9, 0.99)]
    assert kept == sorted(kept) and kept[-1] > 0.9 > 0.3 > kept[0]


def test_beta_draws_by_density_times_score() -> None:
    m = np.array([0.1, 0.3, 0.5, 0.7, 0.9] * 4, np.float32)
    score = np.linspace(0.1, 1, 20).astype(np.float32)
    rows = table(score, columns={"mean_probability": m})
    a, b = beta.shape(score, m, 0.95, beta.Params())
    weights = density(m, a, b) * score
    kept = [keep(beta, rows, 1, 0.95, rng(s))[0] for s in range(1500)]
    counts = np.bincount(kept, minlength=20) / 1500
    np.testing.assert_allclose(counts, weights / weights.sum(), atol=0.04)


def test_beta_keeps_exactly_n_where_scores_are_zero() -> None:
    rows = table(
        np.r_[np.zeros(25), 1.0, 2.0], columns={"mean_probability": np.ones(27, np.float32)}
    )
    kept = keep(beta, rows, 12, 15 / 27, rng())
    assert {25, 26} <= set(kept.tolist())
    negative = replace(rows, score=rows.score - 5)
    assert len(keep(beta, negative, 12, 15 / 27, rng())) == 12


@pytest.mark.parametrize(
    ("params", "said"),
    [(beta.Params(c=0), "prune.c is 0"), (beta.Params(total=14), "A = total - B must stay above")],
)
def test_impossible_beta_is_refused(params: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        beta.check(params, 0.5)


# ---- graph


def slow_graph(rows: SelectionInput, params: graph.Params, n: int) -> list[int]:
    """Dense matrices, and the whole vector looked through for every choice."""
    assert rows.neighbors is not None
    distances, indices = rows.neighbors
    size = len(rows)
    score = rows.score.astype(float) - float(rows.score.min())
    order = sorted(range(size), key=lambda i: (-score[i], i))
    gone = set(order[: round(float(params.cutoff) * size)])
    forward, backward = np.zeros((size, size)), np.zeros((size, size))
    for i in range(size):
        for d, j in zip(distances[i, : params.k], indices[i, : params.k], strict=True):
            if j >= 0 and j not in gone:
                forward[i, j], backward[i, j] = math.exp(-d), math.exp(-params.gamma * d)
    now = score + forward @ score
    kept: list[int] = []
    for _ in range(n):
        best = max((i for i in range(size) if i not in gone), key=lambda i: (now[i], -i))
        kept.append(best)
        gone.add(best)
        now = now - backward[best] * max(now[best], 0.0)
    return sorted(kept)


@pytest.mark.parametrize("n", [1, 10, 30, 58])
@pytest.mark.parametrize(
    "params",
    [
        graph.Params(),
        graph.Params(k=10, gamma=1.0),
        graph.Params(gamma=0),
        graph.Params(cutoff=0.4),
    ],
)
def test_graph_is_the_dense_procedure(params: graph.Params, n: int) -> None:
    rows = replace(example(), params=params)
    assert keep(graph, rows, n, 1 - n / 97, rng()).tolist() == slow_graph(rows, params, n)


def test_graph_by_hand() -> None:
    """Two twins at distance 0 score 3 and 2, a far sample 1. Messages make the twins 5 and 5; the
    first is kept, the other falls to 0, and the far one is kept before it."""
    near = (np.array([[0.0], [0.0], [9.0]], np.float32), np.array([[1], [0], [0]]))
    rows = table(
        [
            4,
            3,
            1,
        ][:3],
        neighbors=near,
        params=graph.Params(k=1, gamma=0.1),
    )
    assert keep(graph, rows, 2, 1 / 3, rng()).tolist() == [0, 2]


def test_graph_leaves_out_neighbours_outside_the_table() -> None:
    near = (np.zeros((3, 2), np.float32), np.array([[-1, 1], [0, -1], [-1, -1]]))
    rows = table([1, 2, 3], neighbors=near, params=graph.Params(k=2))
    assert len(keep(graph, rows, 2, 1 / 3, rng())) == 2


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (graph.Params(k=0), "prune.k is 0"),
        (graph.Params(gamma=-1), "prune.gamma is -1"),
        (graph.Params(cutoff=0.6), "drops 60%"),
    ],
)
def test_impossible_graphs_are_refused(params: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        graph.check(params, 0.5)
