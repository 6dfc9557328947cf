"""Conformance kit of scores that every sample has: kinds ``embedded`` and ``given``.

Register the plug-in (entry point ``prunectl.scores``, or a file in ``core/scores``), then::

    class TestMine(MeasuredScoreConformance):
        name = "mine"
        options = {"k": 3}   # what Params needs, if anything
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core import registry


class MeasuredScoreConformance:
    """Inherit and name the plug-in; pytest finds the tests."""

    name: str
    options: Mapping[str, Any] = {}
    n: int = 60

    def test_it_says_its_kind_and_which_end_is_kept(self) -> None:
        constants = registry.describe("score", self.name).constants
        assert constants.get("KIND") in ("embedded", "given")
        assert constants.get("DIRECTION") in ("high", "low")

    def test_it_gives_one_finite_number_per_sample(self) -> None:
        values = self._values()
        assert values.shape == (self.n,) and values.dtype == np.float32
        assert np.isfinite(values).all()
        assert values.std() > 0, "all samples got the same score"

    def test_the_same_generator_gives_the_same_scores(self) -> None:
        assert np.array_equal(self._values(), self._values())

    def test_numpy_s_global_state_is_neither_read_nor_changed(self) -> None:
        np.random.seed(1)
        first, after = self._values(), np.random.random()
        np.random.seed(1)
        assert np.random.random() == after, "NumPy's global generator was used"
        np.random.seed(2)
        assert np.array_equal(self._values(), first)

    def test_it_does_not_write_into_the_embeddings(self) -> None:
        embeddings = self._embeddings()
        before = embeddings.copy()
        self._values(embeddings)
        assert np.array_equal(embeddings, before)

    def _embeddings(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.random.default_rng(0).standard_normal((self.n, 5)).astype(np.float32)

    def _values(self, embeddings: Any = None) -> Any:
        module: Any = registry.load("score", self.name)
        filled = registry.validate_params("score", self.name, dict(self.options))
        made = module.make(module.Params(**filled) if hasattr(module, "Params") else None)
        rng = np.random.default_rng(3)
        if registry.describe("score", self.name).constants["KIND"] == "given":
            return made.values(self.n, rng)
        rows = self._embeddings() if embeddings is None else embeddings
        labels = np.arange(self.n, dtype=np.int64) % 4
        return made.compute(rows, labels, rng)
