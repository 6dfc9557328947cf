"""Selection policies against slow references and by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import UserError
from core.selection import class_balanced, random, top_k
from core.selection.base import SelectionInput, highest, keep
from core.testing.policies import example


def best_by_sorting(score, n):
    """Sort everything by (score descending, id) and take the first n."""
    return sorted(sorted(range(len(score)), key=lambda i: (-score[i], i))[:n])


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [0, 1, 2, 50, 96, 97])
def test_highest_is_sorting(n):
    score = example().score
    assert highest(score, n).tolist() == best_by_sorting(score, n)
    assert highest(score, n).dtype == np.int64


def test_infinite_scores_rank_at_the_ends():
    score = np.array([0.0, np.inf, -np.inf, np.inf, 1.0], dtype=np.float32)
    assert highest(score, 2).tolist() == [1, 3]
    assert highest(score, 4).tolist() == [0, 1, 3, 4]


def test_top_k_ties_go_to_the_lowest_id():
    table = SelectionInput(np.array([1, 2, 2, 2, 0], dtype=np.float32))
    assert keep(top_k, table, 2, 0.6, rng()).tolist() == [1, 2]


@pytest.mark.parametrize("size", [50_000, 1_281_167])
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.8, 0.9, 0.95])
def test_quotas_are_exact(size, rate):
    shares = np.random.default_rng(1).dirichlet(np.ones(100))
    sizes = np.random.default_rng(2).multinomial(size, shares)
    n_keep = round((1 - rate) * size)
    kept = class_balanced.quotas(sizes, n_keep)
    assert kept.sum() == n_keep
    assert (np.abs(kept - sizes * (n_keep / size)) < 1).all()
    assert (kept <= sizes).all()


def test_quotas_by_hand():
    # shares 2.4, 1.2, 0.4 of 4: the first two have 2 and 1; 2.4 and 0.4 tie, the lower label wins
    assert class_balanced.quotas(np.array([6, 3, 1]), 4).tolist() == [3, 1, 0]


def test_class_balanced_keeps_the_best_of_each_class():
    table = example()
    ids = keep(class_balanced, table, 40, 1 - 40 / 97, rng())
    labels = table.labels
    sizes = np.array([(labels == c).sum() for c in np.unique(labels)])
    expected = []
    for c, quota in zip(np.unique(labels), class_balanced.quotas(sizes, 40), strict=True):
        members = np.flatnonzero(labels == c)
        expected += [members[i] for i in best_by_sorting(table.score[members], quota)]
    assert ids.tolist() == sorted(expected)


def test_class_balanced_counts_unlabelled_samples_as_a_class():
    labels = np.array([-1, -1, 0, 0], dtype=np.int64)
    table = SelectionInput(np.array([1, 2, 3, 4], dtype=np.float32), labels)
    assert keep(class_balanced, table, 2, 0.5, rng()).tolist() == [1, 3]


def test_random_nests_over_rates_and_follows_the_seed():
    table = SelectionInput(np.zeros(500, dtype=np.float32))
    few, many = (set(keep(random, table, n, 1 - n / 500, rng())) for n in (100, 300))
    assert few < many
    assert few != set(keep(random, table, 100, 0.8, rng(1)))


def test_random_ignores_the_score():
    low = SelectionInput(np.arange(50, dtype=np.float32))
    high = SelectionInput(-low.score)
    assert np.array_equal(keep(random, low, 9, 0.82, rng()), keep(random, high, 9, 0.82, rng()))


@pytest.mark.parametrize("n_keep", [0, -1, 98])
def test_impossible_counts_are_refused(n_keep):
    with pytest.raises(UserError, match="cannot be kept"):
        keep(top_k, example(), n_keep, 0.5, rng())


def test_missing_companion_score_names_the_key():
    policy = SimpleNamespace(select=top_k.select, NEEDS=("aum",))
    with pytest.raises(UserError, match=r"score\.also: \[aum\]"):
        keep(policy, example(), 10, 0.9, rng())


@pytest.mark.parametrize("answer", [[0, 0, 1], [0, 1], [0, 1, 97], [-1, 0, 1]])
def test_a_policy_that_breaks_its_contract_is_stopped(answer):
    policy = SimpleNamespace(select=lambda *_: np.array(answer))
    with pytest.raises(RuntimeError, match="unique ids"):
        keep(policy, example(), 3, 0.97, rng())
