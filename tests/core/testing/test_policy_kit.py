"""Every policy file passes the kit, and the kit catches broken policies."""

from types import SimpleNamespace

import numpy as np
import pytest

from core import registry
from core.testing import policies


@pytest.mark.parametrize("check", policies.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", registry.names("policy"))
def test_builtin_policy(name, check):
    check(registry.load("policy", name))


def test_the_three_policies_are_found():
    assert {"top_k", "class_balanced", "random"} <= set(registry.names("policy"))


def one_short(table, n_keep, rate, rng):
    return np.arange(n_keep - 1)


def doubled(table, n_keep, rate, rng):
    return np.zeros(n_keep, dtype=np.int64)


def global_random(table, n_keep, rate, rng):
    return np.random.permutation(len(table))[:n_keep]


def writes(table, n_keep, rate, rng):
    table.score[:] = 0
    return np.arange(n_keep)


@pytest.mark.parametrize(
    ("select", "needs", "check"),
    [
        (one_short, (), policies.check_exact_count),
        (doubled, (), policies.check_exact_count),
        (global_random, (), policies.check_no_global_random_state),
        (writes, (), policies.check_input_untouched),
    ],
)
def test_broken_policy_is_caught(select, needs, check):
    with pytest.raises(AssertionError):
        check(SimpleNamespace(select=select, NEEDS=needs))
