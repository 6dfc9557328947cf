"""Embeddings in few columns against plain float64 linear algebra."""

import numpy as np
import pytest

from core.extrapolators import _principal

RNG = np.random.default_rng


def reference(embeddings, count):
    """Unit rows, standardised columns, projected on the leading right singular vectors."""
    rows = embeddings.astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    values, vectors = np.linalg.svd(rows, full_matrices=False)[1:]
    return rows @ vectors[:count].T, np.square(values) / len(rows)


@pytest.fixture
def rows():
    spread = np.array([5, 4, 3, 1, 0.5, 0.2, 0.1])
    return (RNG(3).standard_normal((300, 7)) * spread + 2).astype(np.float32)


def test_components_are_those_of_the_standardised_unit_rows(rows):
    made = _principal.projection(rows, 3)
    found, (wanted, variance) = made.rows(rows), reference(rows, 3)
    assert found.shape == (300, 3) and found.dtype == np.float32
    signs = np.sign((found * wanted).sum(axis=0))  # a component's sign means nothing
    np.testing.assert_allclose(found * signs, wanted, atol=1e-4)
    np.testing.assert_allclose(made.variance, variance[:3], rtol=1e-4)
    assert made.total == pytest.approx(7, rel=1e-4)
    assert not made.enough


def test_no_more_components_than_hold_nearly_all_of_the_variance():
    low = RNG(0).standard_normal((400, 2)) @ RNG(1).standard_normal((2, 30)) + RNG(2).normal(
        size=30
    )
    low = (low + 1e-4 * RNG(4).standard_normal(low.shape)).astype(np.float32)
    made = _principal.projection(low, 20)
    share = np.cumsum(reference(low, 20)[1]) / 30
    assert made.enough and len(made.shift) == int((share < _principal.EXPLAINED).sum()) + 1 < 5


@pytest.mark.parametrize("factor", [1e-25, 1e-3, 1e25])
def test_the_length_of_rows_changes_nothing(rows, factor):
    made = _principal.projection(rows, 3)
    longer = rows.copy()
    longer[5:2000:7] *= np.float32(factor)
    np.testing.assert_allclose(made.rows(longer), made.rows(rows), atol=1e-5)
    np.testing.assert_allclose(
        np.abs(_principal.projection(longer, 3).matrix), np.abs(made.matrix), atol=1e-3
    )


def test_a_row_of_zeros_and_a_constant_column_are_finite(rows):
    rows[4], rows[:, 2] = 0, 0
    made = _principal.projection(rows, 3)
    assert np.isfinite(made.rows(rows)).all()
    np.testing.assert_allclose(made.rows(rows)[4], -made.shift, atol=1e-6)


def test_statistics_of_many_rows_come_from_a_fixed_sample():
    assert len(_principal.sample(2048, 7)) == len(_principal.sample(9000, 7)) == 2048
    many = _principal.sample(9000, 1000)
    assert len(many) == len(np.unique(many)) == 4000
    assert (np.diff(many) > 0).all() and many.max() < 9000
    np.testing.assert_array_equal(many, _principal.sample(9000, 1000))
    rows = RNG(0).standard_normal((5000, 4)).astype(np.float32)
    rows[_principal.sample(5000, 4)] *= np.array([1, 1, 1, 0], np.float32)
    assert _principal.projection(rows, 3).variance.sum() == pytest.approx(3, rel=1e-3)
