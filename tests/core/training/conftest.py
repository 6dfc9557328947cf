"""Small made-up data and recipes for the training tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from core.data.bank import SampleBank
from core.recipe import TrainSpec
from core.spec import ModelSpec
from core.training.devices import Compute

MakeBank = Callable[..., SampleBank]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """These nets are too small for threads, which only get in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def compute() -> Compute:
    return Compute(torch.device("cpu"), "fp32", 1, True)


@pytest.fixture
def make_bank() -> MakeBank:
    """Pictures whose class can be learnt: a bright square in a corner, on noise."""

    def make(n: int = 50, side: int = 8, channels: int = 1, seed: int = 0) -> SampleBank:
        rng = np.random.default_rng(seed)
        targets = rng.integers(0, 3, n)
        inputs = rng.integers(0, 120, (n, side, side, channels), dtype=np.uint8)
        half = side // 2
        for row, label in enumerate(targets):
            top, left = divmod(int(label), 2)
            inputs[row, top * half : (top + 1) * half, left * half : (left + 1) * half] += 120
        return SampleBank(
            inputs=inputs,
            targets=targets,
            classes=("a", "b", "c"),
            mean=(0.3,) * channels,
            std=tuple(0.2 + 0.1 * c for c in range(channels)),
            fingerprint="made up",
        )

    return make


@pytest.fixture
def make_vectors() -> MakeBank:
    def make(n: int = 30, width: int = 5, seed: int = 0) -> SampleBank:
        rng = np.random.default_rng(seed)
        return SampleBank(
            inputs=rng.normal(size=(n, width)).astype(np.float32),
            targets=rng.integers(0, 2, n),
            classes=("a", "b"),
            mean=tuple(rng.normal(size=width)),
            std=tuple(rng.uniform(0.5, 2, size=width)),
            fingerprint="made up",
        )

    return make


@pytest.fixture
def recipe() -> Callable[..., TrainSpec]:
    """A training section from keywords; small and fast unless told otherwise."""

    def make(**given: Any) -> TrainSpec:
        plain: dict[str, Any] = {"epochs": "3ep", "batch": 16, "optimizer": {"lr": 0.05}}
        return TrainSpec.model_validate({**plain, **given})

    return make


@pytest.fixture
def convnet() -> ModelSpec:
    return ModelSpec.model_validate({"name": "convnet", "width": 4})
