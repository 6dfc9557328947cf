"""The neighbour graph against dense matrices."""

import numpy as np
import pytest

from core import graph
from core.neighbors import Neighbors, among_all


@pytest.fixture
def near():
    points = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    return among_all(points, 6)


def dense(near, k):
    """Edge by edge, in float64."""
    count = len(near.indices)
    scale = near.distances[:, :k].astype(np.float64).mean(axis=1)
    out = np.zeros((count, count))
    for i in range(count):
        for d, j in zip(near.distances[i, :k], near.indices[i, :k], strict=True):
            weight = np.exp(-float(d) / np.sqrt(scale[i] * scale[j]))
            out[i, j] = max(out[i, j], weight)
            out[j, i] = max(out[j, i], weight)
    return out


@pytest.mark.parametrize("k", [1, 3, 6])
def test_symmetric_matches_the_loop(near, k):
    made = graph.symmetric(near, k).toarray()
    np.testing.assert_allclose(made, dense(near, k), atol=1e-6)
    assert (made == made.T).all() and (np.diag(made) == 0).all()


def test_among_all_is_the_search_without_oneself():
    points = np.random.default_rng(1).standard_normal((30, 4)).astype(np.float32)
    seen = []
    found = among_all(points, 3, metric="euclidean", progress=lambda *given: seen.append(given))
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_array_equal(found.indices, np.argsort(apart, axis=1)[:, :3])
    assert seen == [(30, 30)]


def test_transition_rows_sum_to_one_and_a_lonely_sample_stays():
    far = np.array([[0.1], [0.1], [1e30]], np.float32)
    weights = graph.symmetric(Neighbors(far, np.array([[1], [0], [0]])), 1)
    weights.data[weights.data < 1e-3] = 0
    walk = graph.transition(weights).toarray()
    np.testing.assert_allclose(walk.sum(axis=1), 1)
    assert walk[2, 2] == 1


def test_normalised_matches_the_formula(near):
    weights = dense(near, 4)
    own = weights.sum(axis=1) / (weights > 0).sum(axis=1)
    joined = weights + np.diag(own)
    root = 1 / np.sqrt(joined.sum(axis=1))
    made = graph.normalised(graph.symmetric(near, 4)).toarray()
    np.testing.assert_allclose(made, joined * root[:, None] * root, atol=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e4])
def test_the_scale_of_the_embeddings_changes_no_weight(near, factor):
    scaled = Neighbors((factor * near.distances).astype(np.float32), near.indices)
    one, two = graph.symmetric(near, 6), graph.symmetric(scaled, 6)
    np.testing.assert_allclose(two.toarray(), one.toarray(), atol=1e-4)


@pytest.mark.parametrize("hops", [1, 3])
def test_smooth_is_a_power_of_the_matrix(near, hops):
    step = graph.normalised(graph.symmetric(near, 4))
    rows = np.random.default_rng(5).standard_normal((40, 70)).astype(np.float32)
    wanted = np.linalg.matrix_power(step.toarray().astype(np.float64), hops) @ rows
    np.testing.assert_allclose(graph.smooth(step, rows, hops), wanted, atol=1e-5)
    out = np.zeros((40, 90), np.float32)
    graph.smooth(step, rows, hops, out[:, 10:80])
    np.testing.assert_allclose(out[:, 10:80], wanted, atol=1e-5)
    assert not out[:, :10].any() and not out[:, 80:].any()
    some = np.array([30, 2, 7])
    only = graph.smooth(step, rows, hops, wanted=some)
    np.testing.assert_allclose(only[some], wanted[some], atol=1e-5)
    assert not np.delete(only, some, axis=0).any()


def test_a_sample_without_an_edge_stays_where_it_is():
    edges = graph.csr_array(np.array([[0, 2, 0], [2, 0, 0], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(
        graph.normalised(edges).toarray(), [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]
    )
