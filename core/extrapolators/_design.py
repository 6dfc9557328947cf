"""What a regressor sees of a sample: one row of numbers.

Embedding columns are standardised by the scored samples; a one-hot label and the subset net's class
probabilities can be joined. The probabilities are *in-sample* on the scored part (the net trained
on it) and out of sample elsewhere, a shift that no fold of the scored samples can show; that is why
they are off unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import UserError
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.neighbors import refuse_non_finite

BLOCK = 8192  # rows made at a time, so that memory does not grow with N
Choice = bool | Literal["auto"]


@dataclass(frozen=True)
class Design:
    """Rows float32 ``[n, D]`` of any samples, on the scale of the samples it was made from."""

    x: Features
    labels: bool
    predictions: bool
    centre: Floats
    scale: Floats
    classes: int

    def rows(self, ids: Ids) -> Floats:
        """The samples ``ids`` ``[n]`` as ``[n, D]``."""
        parts = [(_embedded(self.x, ids) - self.centre) / self.scale]
        if self.labels:
            parts.append(one_hot(self._labels[ids], self.classes))
        if self.predictions and self.x.predictions is not None:
            parts.append(np.asarray(self.x.predictions[ids], dtype=np.float32))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def blocks(self, ids: Ids) -> Iterator[tuple[Ids, Floats]]:
        """``ids`` in parts, each with its rows."""
        step = min(BLOCK, self.x.block)
        for start in range(0, len(ids), step):
            part = ids[start : start + step]
            yield part, self.rows(part)

    def fill(self, out: Prediction, ids: Ids, model: Callable[[Floats], Pair]) -> Prediction:
        """``out`` with what ``model`` says of ``ids``: values and std ``[n, S]`` of rows."""
        done = 0
        for part, rows in self.blocks(ids):
            out.values[part], out.std[part] = model(rows)
            done += len(part)
            if self.x.progress is not None:
                self.x.progress(done, len(ids))
        return out

    @property
    def _labels(self) -> Ids:
        assert self.x.labels is not None
        return self.x.labels


Pair = tuple[Floats, Floats]


def design(x: Features, ids: Ids, use_labels: Choice, use_predictions: bool) -> Design:
    """The design made from the fitted samples ``ids``. Labels asked for but absent: UserError."""
    fitted = _embedded(x, ids)
    refuse_non_finite(fitted)
    spread = fitted.std(axis=0, dtype=np.float64).astype(np.float32)
    labels = with_labels(x, use_labels)
    return Design(
        x,
        labels=labels,
        predictions=use_predictions and x.predictions is not None,
        centre=fitted.mean(axis=0, dtype=np.float64).astype(np.float32),
        scale=np.where(spread > 0, spread, np.float32(1)),
        classes=int(x.labels.max()) + 1 if labels and x.labels is not None else 0,
    )


def with_labels(x: Features, use_labels: Choice) -> bool:
    """Whether labels are used: ``auto`` takes them where every sample has one."""
    if use_labels is False:
        return False
    complete = x.labels is not None and len(x.labels) > 0 and int(x.labels.min()) >= 0
    if use_labels is True and not complete:
        raise UserError(
            "extrapolate.use_labels needs the label of every sample, and some have none",
            "set it to auto or false",
        )
    return complete


def needs(use_labels: Choice, use_predictions: bool = False) -> frozenset[str]:
    """What of :class:`Features` is read with these options."""
    found = {"embeddings"}
    if use_labels is not False:
        found.add("labels")
    if use_predictions:
        found.add("predictions")
    return frozenset(found)


def one_hot(labels: Ids, classes: int) -> Floats:
    """float32 ``[n, classes]``; a label outside 0..classes-1 (unlabelled) is a row of zeros."""
    out = np.zeros((len(labels), classes), dtype=np.float32)
    known = np.flatnonzero((labels >= 0) & (labels < classes))
    out[known, labels[known]] = 1
    return out


def _embedded(x: Features, ids: Ids) -> Floats:
    return np.asarray(x.embeddings[ids], dtype=np.float32)
