"""How a sample lies among the others: numbers by slow loops, ranks by hand, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UserError
from core.extrapolators import geometry
from core.extrapolators.base import Features
from core.metrics import spearman
from core.neighbors import among_all


def _data(n: int = 300, classes: int = 4, seed: int = 0) -> tuple[Features, np.ndarray]:
    """Clusters with wrong labels; hard is what lies between clusters or is labelled wrongly."""
    rng = np.random.default_rng(seed)
    true = rng.integers(classes, size=n)
    centres = rng.normal(size=(classes, 16)) * 2
    between = rng.uniform(size=n) < 0.3
    other = (true + 1) % classes
    share = np.where(between, rng.uniform(0, 0.5, n), 0)[:, None]
    x = (1 - share) * centres[true] + share * centres[other] + rng.normal(size=(n, 16))
    wrong = rng.uniform(size=n) < 0.1
    labels = np.where(wrong, other, true).astype(np.int64)
    truth = share[:, 0] + wrong + rng.normal(0, 0.05, n)
    logits = -np.square(x[:, None] - centres[None]).sum(axis=2)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    embeddings = x.astype(np.float32)
    return Features(
        embeddings, labels, among_all(embeddings, 20),
        predictions=(odds / odds.sum(axis=1, keepdims=True)).astype(np.float32),
    ), truth.astype(np.float32)  # fmt: skip


def test_the_numbers_agree_with_a_slow_reference() -> None:
    x, _ = _data(60)
    assert x.labels is not None and x.predictions is not None and x.neighbors is not None
    found = geometry.described(x, x.labels, x.predictions)
    unit = [row / np.linalg.norm(row) for row in x.embeddings.astype(float)]
    for i in range(60):
        cosines = sorted((float(unit[i] @ unit[j]), j) for j in range(60) if j != i)[::-1]
        near = [j for _, j in cosines[:20]]
        # between vectors of length one the squared Euclidean distance is 2 - 2 cos
        apart = [np.sqrt(max(0.0, 2 - 2 * c)) for c, _ in cosines]
        same = [float(x.labels[j] == x.labels[i]) for j in near]
        to = {}
        for label in range(4):
            mean = np.sum([unit[j] for j in range(60) if x.labels[j] == label], axis=0)
            to[label] = float(unit[i] @ mean / np.linalg.norm(mean))
        own = to.pop(int(x.labels[i]))
        p = x.predictions[i].astype(float)
        logs = np.log(p + 1e-6)
        label = int(x.labels[i])
        expected = [
            apart[4], apart[19], np.mean(same[:5]), np.mean(same), own, max(to.values()),
            own - max(to.values()), -(p * logs).sum(), np.sort(p)[-1] - np.sort(p)[-2],
            logs[label], logs[label] - np.delete(logs, label).max(),
        ]  # fmt: skip
        assert found[i] == pytest.approx(expected, abs=2e-4)


def test_ranks_are_taken_within_what_the_net_has_seen_and_within_the_rest() -> None:
    numbers = np.array([[5.0], [1], [3], [30], [10], [10]], np.float32)
    apart = geometry.levels(numbers, np.array([0, 1, 2]))[:, 0]
    assert apart == pytest.approx([5 / 6, 1 / 6, 1 / 2, 5 / 6, 1 / 3, 1 / 3])
    together = geometry.levels(numbers, None)[:, 0]
    assert together == pytest.approx([5 / 12, 1 / 12, 3 / 12, 11 / 12, 8 / 12, 8 / 12])


def test_what_the_net_does_to_all_it_has_seen_alike_changes_no_rank() -> None:
    """It is surer of the samples it trained on; ranks among them do not show it."""
    rng = np.random.default_rng(0)
    numbers, ids = rng.uniform(size=(200, 3)).astype(np.float32), np.arange(0, 200, 5)
    seen = numbers.copy()
    seen[ids] = np.sqrt(seen[ids]) + 3
    assert np.array_equal(geometry.levels(seen, ids), geometry.levels(numbers, ids))
    assert not np.allclose(geometry.levels(seen, None), geometry.levels(numbers, None), atol=0.1)


def test_hard_samples_are_found() -> None:
    x, truth = _data(600)
    ids = np.sort(np.random.default_rng(1).permutation(600)[:120])
    rest = np.setdiff1d(np.arange(600), ids)
    made = geometry.make(geometry.Params())
    out = made.fit_predict(x, ids, truth[ids, None], made.given, np.random.default_rng(0))
    assert (spearman(out.values[rest, 0], truth[rest]) or 0.0) > 0.45


def test_without_labels_or_probabilities_less_is_looked_at() -> None:
    x, truth = _data(200)
    ids = np.arange(0, 200, 4)
    assert geometry.described(x, None, None).shape == (200, 2)
    assert geometry.described(x, x.labels, None).shape == (200, 7)
    assert geometry.described(x, None, x.predictions).shape == (200, 4)
    bare = Features(x.embeddings, neighbors=x.neighbors)
    made = geometry.make(geometry.Params())
    out = made.fit_predict(bare, ids, truth[ids, None], made.given, np.random.default_rng(0))
    assert np.isfinite(np.delete(out.values[:, 0], ids)).all() and (out.std[1:4] > 0).all()
    with pytest.raises(UserError, match="needs the label of every sample"):
        made = geometry.make(geometry.Params(use_labels=True))
        made.fit_predict(bare, ids, truth[ids, None], made.given, np.random.default_rng(0))


def test_a_single_class_and_wrong_options() -> None:
    x, _ = _data(40)
    own, other = geometry.class_cosines(x.embeddings, np.zeros(40, np.int64))
    assert (other == -1).all() and (np.abs(own) <= 1 + 1e-6).all()
    with pytest.raises(UserError, match="at least 1"):
        geometry.make(geometry.Params(trees=0))
