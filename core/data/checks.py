"""What data must be before it is written: each check is one clear line naming the samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data._npy import blocks
from core.data.bank import Samples
from core.errors import UserError

_SHOWN = 5


def check_samples(part: str, samples: Samples, classes: Sequence[str], unlabelled: bool) -> None:
    """Everything about one part by itself: dtype, shape, lengths, NaN and infinity, labels.

    ``part`` is how the user knows it ("train"); sample numbers are rows of the source's part.
    ``unlabelled``: -1 is allowed as a label.
    """
    check_inputs(part, samples.inputs)
    targets = samples.targets
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        what = f"the {part} labels are {describe(targets)}"
        raise UserError(what, "they have to be one integer a sample")
    if len(targets) != len(samples.inputs):
        what = f"{part} has {len(samples.inputs)} samples but {len(targets)} labels"
        raise UserError(what, "give one label a sample, in the same order")
    for column in ("path", "source", "truth"):
        values = getattr(samples, column)
        if values is not None and len(values) != len(targets):
            what = f"{part} has {len(targets)} samples but {len(values)} values of '{column}'"
            raise UserError(what, "give one a sample, in the same order")
    check_labels(part, targets, len(classes), unlabelled)


def check_inputs(part: str, inputs: npt.NDArray[Any]) -> None:
    """uint8 [N,H,W,C] or float32 [N,D], not empty, finite."""
    images = inputs.dtype == np.uint8 and inputs.ndim == 4
    vectors = inputs.dtype == np.float32 and inputs.ndim == 2
    if not (images or vectors):
        what = f"the {part} inputs are {describe(inputs)}"
        raise UserError(what, "they have to be images uint8 [N,H,W,C] or vectors float32 [N,D]")
    if inputs.size == 0:
        raise UserError(f"{part} has no samples", "check that the right files were given")
    if vectors:
        check_finite(part, inputs)


def check_finite(part: str, inputs: npt.NDArray[Any]) -> None:
    """UserError with the number of samples holding NaN or infinity, and the first of them."""
    bad: list[npt.NDArray[np.int64]] = []
    start = 0
    for rows in blocks(inputs):
        finite = np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
        bad.append(start + np.flatnonzero(~finite))
        start += len(rows)
    ids = np.concatenate(bad)
    if len(ids):
        verb = "holds" if len(ids) == 1 else "hold"
        named = count(len(ids), part + " sample")
        what = f"{named} of {len(inputs)} {verb} NaN or infinite values"
        raise UserError(f"{what}: {listed(ids)}", "repair or remove them")


def check_labels(part: str, targets: npt.NDArray[Any], classes: int, unlabelled: bool) -> None:
    """Labels lie in 0..classes-1, or are -1 where that is allowed."""
    bad = np.flatnonzero((targets < (-1 if unlabelled else 0)) | (targets >= classes))
    if not len(bad):
        return
    values = ", ".join(str(v) for v in np.unique(targets[bad])[:_SHOWN])
    what = f"{count(len(bad), part + ' label')} outside 0..{classes - 1} (found {values})"
    raise UserError(f"{what}: {listed(bad)}", "correct them; classes are numbered from 0")


def check_classes(classes: Sequence[str]) -> None:
    """At least two classes, with different names."""
    if len(classes) < 2:
        raise UserError(f"there are {len(classes)} classes", "at least two are needed")
    twice = sorted({name for name in classes if classes.count(name) > 1})
    if twice:
        raise UserError(f"class names are given twice: {', '.join(twice)}", "make them differ")


def check_every_class(targets: npt.NDArray[Any], classes: Sequence[str]) -> None:
    """Every class has a training sample; looked at after test and validation were taken out."""
    counts = np.bincount(targets[targets >= 0], minlength=len(classes))
    empty = [classes[int(i)] for i in np.flatnonzero(counts == 0)]
    if empty:
        names = ", ".join(f"'{name}'" for name in empty[:_SHOWN])
        more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
        what = f"{count(len(empty), 'class', 'classes')} without training samples: {names}{more}"
        raise UserError(what, "remove it from the classes, add samples, or hold out fewer")


def check_same_shape(train: npt.NDArray[Any], test: npt.NDArray[Any]) -> None:
    """Train and test can be shown to the same model."""
    if train.dtype != test.dtype or train.shape[1:] != test.shape[1:]:
        what = f"train inputs are {describe(train)} but test inputs are {describe(test)}"
        raise UserError(what, "both have to be of one kind and shape")


def describe(array: npt.NDArray[Any]) -> str:
    """Dtype and shape in words: ``float64 [100, 3]``."""
    return f"{array.dtype} {list(array.shape)}"


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 label``, ``2 labels``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(ids: Iterable[int]) -> str:
    """The first sample numbers, and how many are not shown."""
    numbers = [int(i) for i in ids]
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return "samples " + ", ".join(str(n) for n in numbers[:_SHOWN]) + more
