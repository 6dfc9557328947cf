"""Batches of real and generated samples in a fixed share, and epochs as long as the real set.

A batch of ``b`` has round(fraction b) generated samples (half to even) and real ones for the rest.
Whatever is not drawn with replacement is walked through: one permutation after the other, an epoch
that reaches the end of one going on with the next, so every sample is reached and two visits of a
group never differ by more than one. Published code (of arXiv 2406.13283) draws from a range that
misses the end of its pool.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.data.bank import GENERATED, SampleBank
from core.errors import UserError
from core.facts import DataFacts
from core.mixing import epoch_samples, mixes
from core.recipe import TrainSpec
from core.rng import generator
from core.training.sampler import Sampler

Ids = NDArray[np.int64]
_REAL, _GENERATED, _ALL = 0, 1, 2


class Mixed(Sampler):
    """``count`` samples an epoch in batches of ``batch``, out of the ids of ``groups``.

    ``fraction`` None: one group, all samples alike. ``total`` is the number of all samples, kept or
    not: a pruned training walks the same permutations with the dropped samples left out.
    """

    def __init__(
        self, ids: Ids, source: NDArray[np.uint8], total: int, count: int, recipe: TrainSpec,
        seed: int, role: str,
    ) -> None:  # fmt: skip
        super().__init__(total, count, 0.0, seed, role)
        self._batch, self._fraction = recipe.batch, recipe.generated_fraction
        self._replacement = recipe.replacement
        generated = source[ids] == GENERATED
        self._groups = {_ALL: ids, _REAL: ids[~generated], _GENERATED: ids[generated]}
        for name, group in (("real", _REAL), ("generated", _GENERATED)):
            if self._fraction is not None and not len(self._groups[group]):
                what = f"generated_fraction: no {name} sample is left to train on"
                raise UserError(what, "prune less, or by a policy that keeps some of both")

    def order(self, epoch: int, progress: float) -> Ids:
        """Ids of an epoch, int64 ``[count]``, batch after batch."""
        if self._fraction is None:
            return self._walk(_ALL, epoch * self.count, self.count)
        sizes = self._generated_sizes()
        drawn = int(sizes.sum())
        real = self._walk(_REAL, epoch * (self.count - drawn), self.count - drawn)
        generated = (
            self._draw(epoch, drawn)
            if self._replacement
            else self._walk(_GENERATED, epoch * drawn, drawn)
        )
        return self._interleaved(real, generated, sizes)

    def _generated_sizes(self) -> Ids:
        """Generated samples of each batch of an epoch."""
        assert self._fraction is not None
        whole, rest = divmod(self.count, self._batch)
        sizes = [self._batch] * whole + [rest] * (rest > 0)
        return np.array([round(self._fraction * size) for size in sizes], dtype=np.int64)

    def _interleaved(self, real: Ids, generated: Ids, sizes: Ids) -> Ids:
        """In each batch its real samples, then its generated ones."""
        place = np.arange(self.count) % self._batch
        batch = np.arange(self.count) // self._batch
        length = np.minimum(self._batch, self.count - batch * self._batch)
        is_generated = place >= length - sizes[batch]
        found = np.empty(self.count, dtype=np.int64)
        found[~is_generated], found[is_generated] = real, generated
        return found

    def _walk(self, group: int, first: int, number: int) -> Ids:
        """``number`` ids from position ``first`` on of all permutations of a group end to end."""
        ids, parts, stop = self._groups[group], [], first + number
        for turn in range(first // len(ids), max(first, stop - 1) // len(ids) + 1):
            offset = turn * len(ids)
            parts.append(self._turn(group, turn)[max(0, first - offset) : stop - offset])
        return np.concatenate(parts)

    def _turn(self, group: int, turn: int) -> Ids:
        rng = generator(self._seed, self._role, "order", turn, group)
        permutation = rng.permutation(self.total)
        chosen = np.zeros(self.total, dtype=bool)
        chosen[self._groups[group]] = True
        return permutation[chosen[permutation]].astype(np.int64, copy=False)

    def _draw(self, epoch: int, number: int) -> Ids:
        rng = generator(self._seed, self._role, "order", epoch, _GENERATED)
        pool = self._groups[_GENERATED]
        drawn: Ids = pool[rng.integers(len(pool), size=number)]
        return drawn


def mixed(
    recipe: TrainSpec, ids: Ids, bank: SampleBank, facts: DataFacts, seed: int, role: str
) -> Mixed | None:
    """The sampler of a training on ``ids``; None where an epoch is all of them once."""
    if not mixes(recipe):
        return None
    assert bank.source is not None  # the plan has refused data without it
    count = epoch_samples(recipe, len(ids), facts)
    return Mixed(ids, np.asarray(bank.source), len(bank), count, recipe, seed, role)
