"""Neighbour search against brute force in float64."""

import faiss
import numpy as np
import pytest

from core import neighbors
from core.errors import RunFailure, UserError


def brute_force(base, queries, k, exclude=None):
    """Distances in float64, one query at a time; ties to the lowest index."""
    distances, indices = [], []
    for q, query in enumerate(queries.astype(np.float64)):
        apart = [float(np.linalg.norm(row - query)) for row in base.astype(np.float64)]
        order = sorted((d, i) for i, d in enumerate(apart) if exclude is None or i != exclude[q])[
            :k
        ]
        distances.append([d for d, _ in order])
        indices.append([i for _, i in order])
    return np.array(distances), np.array(indices)


@pytest.fixture
def points():
    return np.random.default_rng(0).standard_normal((120, 7), dtype=np.float32)


@pytest.mark.parametrize("k", [1, 5, 90])
def test_search_matches_brute_force(points, k):
    base, queries = points[:90], points[90:]
    found = neighbors.search(base, queries, k, threads=2)
    distances, indices = brute_force(base, queries, k)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4, atol=1e-3)
    assert found.distances.dtype == np.float32 and found.indices.dtype == np.int64


@pytest.mark.parametrize("cells", [1, 1000, 2**27])
def test_torch_search_matches_brute_force_whatever_the_chunk(points, cells, monkeypatch):
    monkeypatch.setattr(neighbors, "_DEVICE_CELLS", cells)
    base, queries = points[:90], points[90:]
    index = neighbors.Index(base, device="cpu")
    index._nearest = neighbors._torch_search(base, "cpu")
    found = index.search(queries, 6)
    distances, indices = brute_force(base, queries, 6)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4, atol=1e-3)


@pytest.mark.gpu
def test_cuda_matches_faiss(points):
    base, queries = points[:90], points[90:]
    on_gpu = neighbors.search(base, queries, 6, device="cuda:0")
    on_cpu = neighbors.search(base, queries, 6)
    np.testing.assert_array_equal(on_gpu.indices, on_cpu.indices)
    np.testing.assert_allclose(on_gpu.distances, on_cpu.distances, rtol=1e-4, atol=1e-3)


def test_excluded_rows_are_never_returned(points):
    base = points[:30]
    exclude = np.arange(30)
    exclude[::4] = -1
    found = neighbors.search(base, base, 5, exclude=exclude)
    distances, indices = brute_force(base, base, 5, exclude)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, atol=1e-3)


def test_exact_ties_go_to_the_lowest_index():
    base = np.array([[2, 0], [0, 2], [1, 0], [0, -2], [-2, 0]], dtype=np.float32)
    found = neighbors.search(base, np.zeros((3, 2), np.float32), 5)
    np.testing.assert_array_equal(found.indices, [[2, 0, 1, 3, 4]] * 3)


@pytest.mark.parametrize(("k", "exclude"), [(0, None), (31, None), (30, np.full(30, -1))])
def test_impossible_k_is_refused(points, k, exclude):
    with pytest.raises(UserError, match=r"extrapolate\.k"):
        neighbors.search(points[:30], points[:30], k, exclude=exclude)


@pytest.mark.parametrize("side", ["base", "queries"])
def test_non_finite_embeddings_are_counted(points, side):
    parts = {"base": points[:90].copy(), "queries": points[90:].copy()}
    parts[side][3, 1] = np.nan
    parts[side][5, 0] = np.inf
    with pytest.raises(RunFailure, match="2 of"):
        neighbors.search(parts["base"], parts["queries"], 3)


def test_thread_setting_is_put_back(points):
    before = faiss.omp_get_max_threads()
    neighbors.search(points, points, 3, threads=1)
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_normalise_rows_to_length_one(points, scale):
    rows = (points * np.float32(scale)).copy()
    rows[4] = 0
    kept = rows.copy()
    out = neighbors.normalise(rows)
    expected = np.array([r / np.linalg.norm(r) if r.any() else r for r in rows.astype(np.float64)])
    np.testing.assert_allclose(out, expected, atol=1e-6)
    np.testing.assert_array_equal(rows, kept)


def gathered(points, base, queries, k, metric):
    parts = list(neighbors.search_rows(points, base, queries, k, metric=metric))
    covered = np.concatenate([np.arange(len(queries))[part] for part, _ in parts])
    np.testing.assert_array_equal(covered, np.arange(len(queries)))
    return neighbors.Neighbors(
        np.concatenate([near.distances for _, near in parts]),
        np.concatenate([near.indices for _, near in parts]),
    )


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_chunked_equals_unchunked_and_nobody_finds_itself(points, metric, monkeypatch):
    base, queries = np.arange(0, 120, 2), np.arange(30, 100)
    whole = gathered(points, base, queries, 4, metric)
    monkeypatch.setattr(neighbors, "BLOCK", 13)
    chunked = gathered(points, base, queries, 4, metric)
    np.testing.assert_array_equal(chunked.indices, whole.indices)
    np.testing.assert_allclose(chunked.distances, whole.distances, atol=1e-3)
    assert not (base[whole.indices] == queries[:, None]).any()
    rows = neighbors.normalise(points) if metric == "cosine" else points
    own = np.array([list(base).index(q) if q in base else -1 for q in queries])
    distances, indices = brute_force(rows[base], rows[queries], 4, own)
    np.testing.assert_array_equal(whole.indices, indices)
    np.testing.assert_allclose(whole.distances, distances, atol=1e-3)


def test_euclidean_keeps_its_digits_under_a_common_offset():
    base, queries = np.arange(60), np.arange(60, 120)
    points = np.random.default_rng(1).standard_normal((120, 64), dtype=np.float32)
    points += np.float32(3000)
    _, indices = brute_force(points[base], points[queries], 5)
    found = gathered(points, base, queries, 5, "euclidean")
    np.testing.assert_array_equal(found.indices, indices)
    # a plain matrix product finds others, so the shift is what saves the digits
    _, plain = neighbors._torch_search(points[base], "cpu")(points[queries], 5)
    assert not np.array_equal(plain, indices)
