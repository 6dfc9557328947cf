"""A score that is shown only some epochs of a training, as if they were all of it."""

from __future__ import annotations

from torch import Tensor

from core.scores.base import Batch, TrainedScore


class Stretch(TrainedScore):
    """Shows ``score``, made for ``len(epochs)`` epochs, the consecutive ``epochs`` of a training,
    numbered from 0."""

    def __init__(self, score: TrainedScore, epochs: range) -> None:
        self._score, self._epochs = score, epochs
        self.direction = score.direction
        inner = range(len(epochs)) if score.reads is None else score.reads
        self.reads = tuple(epochs[epoch] for epoch in inner)

    @property
    def bytes_per_sample(self) -> int:
        """Those of the score."""
        return self._score.bytes_per_sample

    def observe(self, epoch: int, batch: Batch) -> None:
        """Pass a batch on, if its epoch is one of them."""
        if epoch in self._epochs:
            self._score.observe(epoch - self._epochs.start, batch)

    def end_epoch(self, epoch: int) -> None:
        """Pass the end of an epoch on, if it is one of them."""
        if epoch in self._epochs:
            self._score.end_epoch(epoch - self._epochs.start)

    def finalize(self) -> Tensor:
        """The score's own, float32 ``[m]``."""
        return self._score.finalize()

    def state_dict(self) -> dict[str, Tensor]:
        """The score's own."""
        return self._score.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """To the score."""
        self._score.load_state_dict(state)
