"""What an extrapolator is: from the scores of a few samples to a score for every sample.

An extrapolator file has a frozen dataclass ``Params``, a class derived from :class:`Extrapolator`
and ``make(params) -> Extrapolator``. The engine asks it for candidates, compares them on a fold of
the scored samples and refits the winner (:mod:`core.extrapolators.choose`). Extrapolators see
embeddings, never images, and never a score that was not measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.neighbors import BLOCK, Neighbors

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
P = TypeVar("P", bound="DataclassInstance")


@dataclass(frozen=True)
class Features:
    """What is known of all N samples, and what may be used to compute.

    ``embeddings`` float32 ``[N, d]``; ``labels`` int64 ``[N]`` or None (-1: unlabelled);
    ``neighbors``: of every sample among all samples, or None; ``dynamics`` float32 ``[N, F]`` or
    None; ``predictions`` float32 ``[N, C]``, the subset net's class probabilities, or None;
    ``trained_on``: ids that the net behind embeddings and predictions has seen, or None;
    ``threads`` None leaves the library's own choice. ``progress`` may be told how many of how many
    targets are predicted; it may raise, to stop. ``told`` hears how neighbours were found where
    that is not exact. ``block`` rows are searched and predicted at a time where a method works in
    blocks.
    """

    embeddings: Floats
    labels: Ids | None = None
    neighbors: Neighbors | None = None
    dynamics: Floats | None = None
    predictions: Floats | None = None
    trained_on: Ids | None = None
    threads: int | None = None
    device: str = "cpu"
    progress: Callable[[int, int], None] | None = None
    told: Callable[[str], None] | None = None
    block: int = BLOCK

    def __len__(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True)
class Prediction:
    """``values`` and ``std`` float32 ``[N, S]``, by sample id; NaN where nothing was predicted."""

    values: Floats
    std: Floats

    @classmethod
    def empty(cls, samples: int, scores: int) -> Prediction:
        """A prediction of nothing, to be filled in."""
        shape = (samples, scores)
        return cls(np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32))


class Extrapolator(ABC, Generic[P]):
    """Base of all extrapolators. ``needs`` names the :class:`Features` it reads."""

    needs: frozenset[str] = frozenset({"embeddings"})
    positions: bool = True
    """Whether it sees where a sample lies, and not only how it lies among the others."""

    @abstractmethod
    def candidates(self, m: int) -> list[P]:
        """Settings to compare when ``m`` samples are scored; what the user fixed stays fixed."""

    @abstractmethod
    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: P,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Fit ``scores`` ``[m, S]`` of the samples ``ids`` ``[m]``, predict those of ``targets``.

        ``targets`` None: all samples without a score. Rows that are no target are NaN.
        """

    def compare(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        candidates: Sequence[P],
        fresh_rng: Callable[[], np.random.Generator],
        targets: Ids,
    ) -> Iterator[Prediction]:
        """One prediction per candidate; override where candidates can share work."""
        for params in candidates:
            yield self.fit_predict(x, ids, scores, params, fresh_rng(), targets)

    def cross_fitted(self, params: P) -> tuple[Extrapolator[P], P] | None:
        """The extrapolator and the settings closest to ``params`` that judge a scored sample by
        nothing but nets that did not train on it; None: there are none."""
        return None


def others(x: Features, ids: Ids) -> Ids:
    """The ids of all samples that are not among ``ids``, sorted."""
    unscored = np.ones(len(x), dtype=bool)
    unscored[ids] = False
    return np.flatnonzero(unscored).astype(np.int64)
