"""Approximate neighbours against exact ones: what is found, what is said, and when it gives up."""

import numpy as np
import pytest

from core import approximate, neighbors
from core.extrapolators import extrapolate


def clustered(count, width, rank=8):
    """Points near 30 centres in a subspace, with a little noise in all directions."""
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((rank, width))
    place = rng.standard_normal((30, rank))[rng.integers(30, size=count)]
    place += 0.5 * rng.standard_normal((count, rank))
    return (place @ basis + 0.05 * rng.standard_normal((count, width))).astype(np.float32)


@pytest.fixture(scope="module")
def points():
    return clustered(6000, 160)


@pytest.mark.parametrize("width", [160, 12])
def test_it_finds_what_it_says_and_distances_are_true(points, width):
    rows = points if width == 160 else clustered(6000, 12)
    base, queries = np.arange(4000), np.arange(3500, 4600)
    said = []
    search = neighbors.search_rows(
        rows, base, queries, 10, metric="euclidean", threads=1, how="approximate",
        told=said.append,
    )  # fmt: skip
    parts = [near for _, near in search]
    exact = [
        near for _, near in neighbors.search_rows(
            rows, base, queries, 10, metric="euclidean", threads=1, how="exact", told=said.append
        )
    ]  # fmt: skip
    found = np.concatenate([near.indices for near in parts])
    truth = np.concatenate([near.indices for near in exact])
    recall = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found, truth, strict=True)])
    assert recall > 0.93
    assert len(said) == 1 and said[0].startswith("approximate neighbours: 9")
    assert ("components" in said[0]) == (width == 160)
    assert (found[:500] != np.arange(3500, 4000)[:, None]).all()  # never itself
    distances = np.concatenate([near.distances for near in parts])
    real = np.linalg.norm(rows[queries][:, None] - rows[base[found]], axis=2)
    np.testing.assert_allclose(distances, real, atol=2e-3)
    assert (np.diff(distances, axis=1) >= 0).all()


def test_where_nothing_is_close_it_gives_up_and_is_exact(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((3000, 40)).astype(np.float32)
    monkeypatch.setattr(approximate, "_PROBES", (1, 2))
    index = neighbors.Index(rows, threads=1, approximately=10)
    assert index.how == "exact neighbours: an approximate search missed over 5% of them"
    np.testing.assert_array_equal(
        index.search(rows[:50], 10).indices, neighbors.search(rows, rows[:50], 10).indices
    )


def test_size_decides_unless_told_otherwise(points, monkeypatch):
    assert not approximate.worthwhile(10_000, 50_000)
    assert not approximate.worthwhile(10_000, 10**9)
    assert approximate.worthwhile(200_000, 800_000)
    monkeypatch.setattr(approximate, "worthwhile", lambda base, queries: True)
    ids = np.arange(0, 6000, 2)
    options = {"k": 5, "weights": "mean"}
    one, two = (
        extrapolate(
            points, ids, points[ids, 0], method="knn", threads=1,
            options={**options, "search": search},
        )
        for search in ("auto", "exact")
    )  # fmt: skip
    assert len(one.notes) >= 1 and one.notes[0].startswith("approximate neighbours")
    assert two.notes == ()
    rest = ~one.scored
    assert np.corrcoef(one.predicted[rest], two.predicted[rest])[0, 1] > 0.98
