"""A small spec for the tests of the engine, and changes to it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from core.spec import Spec
from core.spec_load import parse_spec

_TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digits"},
    "model": {"name": "linear"},
    "subset": {"fraction": 0.2},
    "seeds": [0],
    "train": {"epochs": "3ep", "batch": 64, "optimizer": {"lr": 0.1}},
    "score": {"name": "el2n", "preset": "ccs", "epoch": 0, "span": 2},
    "extrapolate": {"name": "knn"},
    "prune": {"rates": [0.3, 0.8]},
    "compute": {"device": "cpu", "threads": 1},
    "tracking": {"enabled": False},
}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(old, value) if both else value
    return result


@pytest.fixture(scope="session")
def plain_spec() -> Callable[..., dict[str, Any]]:
    """The tiny spec as a mapping, with sections changed: ``plain_spec(train={"batch": 8})``."""
    return lambda **over: _merged(copy.deepcopy(_TINY), over)


@pytest.fixture(scope="session")
def make_spec(plain_spec: Callable[..., dict[str, Any]]) -> Callable[..., Spec]:
    """The same, parsed."""
    return lambda **over: parse_spec(plain_spec(**over))
