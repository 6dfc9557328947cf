"""What every selection policy must do. For a policy of your own::

    @pytest.mark.parametrize("check", policies.CHECKS, ids=lambda check: check.__name__)
    def test_mine(check):
        check(my_policy_module)

Each check raises AssertionError with a sentence. A policy with options is given as an object whose
``select`` fills ``table.params`` in, or runs with its defaults where ``Params()`` exists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from core.errors import UserError
from core.selection.base import Ids, Policy, SelectionInput, keep

SIZE = 97


def example(seed: int = 0, columns: tuple[str, ...] = (), size: int = SIZE) -> SelectionInput:
    """A table with ties, five classes of unlike size, one companion score per column, embeddings
    and each sample's ten nearest neighbours."""
    rng = np.random.default_rng(seed)
    score = np.round(rng.standard_normal(size), 1).astype(np.float32)
    labels = rng.choice(5, size=size, p=[0.5, 0.3, 0.15, 0.04, 0.01]).astype(np.int64)
    columns_of = {name: rng.random(size).astype(np.float32) for name in columns}
    embeddings = rng.standard_normal((size, 6)).astype(np.float32)
    apart = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1, kind="stable")[:, :10]
    distances = np.take_along_axis(apart, near, axis=1).astype(np.float32)
    return SelectionInput(
        score, labels, columns_of, directions=dict.fromkeys(columns, "high"),
        embeddings=embeddings, neighbors=(distances, near.astype(np.int64)),
    )  # fmt: skip


def check_exact_count(policy: Policy) -> None:
    """Exactly the ids asked for, whatever the rate."""
    table = _table(policy)
    for n_keep in (1, 2, 10, 48, SIZE - 1, SIZE):
        ids = np.asarray(policy.select(table, n_keep, 1 - n_keep / SIZE, _rng()))
        assert len(np.unique(ids)) == len(ids) == n_keep, f"{len(ids)} ids where {n_keep} were due"
        assert ids.min() >= 0 and ids.max() < SIZE, "an id that no sample has"
        assert ids.dtype.kind == "i", f"ids of type {ids.dtype}"


def check_repeatable(policy: Policy) -> None:
    """The same generator gives the same ids."""
    table = _table(policy)
    first, second = _kept(policy, table), _kept(policy, table)
    assert np.array_equal(first, second), "the same seed kept other samples"


def check_input_untouched(policy: Policy) -> None:
    """A policy is a pure function: it does not write into the table."""
    table, before = _table(policy), _table(policy)
    _kept(policy, table)
    assert before.labels is not None and table.labels is not None
    assert np.array_equal(table.score, before.score), "the scores were changed"
    assert np.array_equal(table.labels, before.labels), "the labels were changed"
    for name, column in before.columns.items():
        assert np.array_equal(table.columns[name], column), f"the column {name} was changed"


def check_no_global_random_state(policy: Policy) -> None:
    """Random numbers come from the generator that was handed in, never from NumPy's global one."""
    table = _table(policy)
    kept = []
    for state in (1, 2):
        np.random.seed(state)
        kept.append(_kept(policy, table))
    assert np.array_equal(kept[0], kept[1]), "NumPy's global seed changed what was kept"


def check_nan_refused(policy: Policy) -> None:
    """A sample without a score is an error and not the best or the worst."""
    table = _table(policy)
    score = table.score.copy()
    score[3] = np.nan
    try:
        _kept(policy, replace(table, score=score))
    except UserError:
        return
    raise AssertionError("a NaN score was accepted")


def check_missing_columns_refused(policy: Policy) -> None:
    """What ``NEEDS`` names is asked for, in one clear line, when it is not there."""
    needs = _needs(policy)
    bare = replace(_table(policy), labels=None, columns={}, embeddings=None, neighbors=None)
    try:
        _kept(policy, bare)
    except UserError:
        assert needs, "refused a table that has all it said it needs"
        return
    assert not needs, f"ran without {', '.join(needs)}"


CHECKS: tuple[Callable[[Policy], None], ...] = (
    check_exact_count,
    check_repeatable,
    check_input_untouched,
    check_no_global_random_state,
    check_nan_refused,
    check_missing_columns_refused,
)


def _table(policy: Policy) -> SelectionInput:
    about_samples = ("labels", "embeddings", "neighbors")
    columns = tuple(name for name in _needs(policy) if name not in about_samples)
    options = getattr(policy, "Params", None)
    return replace(example(columns=columns), params=options() if options else None)


def _needs(policy: Policy) -> tuple[str, ...]:
    """What ``NEEDS`` names, and the further score that ``COMPANION`` names by default."""
    needs: tuple[str, ...] = getattr(policy, "NEEDS", ())
    options = getattr(policy, "Params", None)
    chosen = getattr(options(), getattr(policy, "COMPANION", ""), None) if options else None
    return (*needs, chosen) if chosen else needs


def _kept(policy: Policy, table: SelectionInput) -> Ids:
    return keep(policy, table, 30, 1 - 30 / SIZE, _rng())


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)
