"""From what a source has read to a dataset on disk: checks, test split, validation, writing.

Split and validation are drawn by ``data.seed`` alone, so run seeds never change the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data import checks
from core.data._statistics import Floats, statistics
from core.data.bank import REAL, Dataset, Ids, Samples, Written, seal_dataset, write_bank
from core.data.base import DataSpec, Progress
from core.errors import UserError
from core.rng import generator
from core.units import round_share

_TEST_DRAW, _VALIDATION_DRAW = 0, 1
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Split:
    """Row numbers, ascending. ``test``: of the source's own test part where it has one."""

    train: Ids
    test: Ids
    validation: Ids | None


def assemble(
    data: DataSpec,
    out: Path,
    train: Samples,
    test: Samples | None,
    classes: Sequence[str],
    *,
    test_fraction: float | None = None,
    unlabelled: bool = False,
    stratified: bool = False,
    without: Mapping[str, Ids] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Check, split and write into the folder ``out``; the last line of a source's ``prepare``.

    As :func:`draw`, then :func:`write`.
    """
    split = draw(
        data,
        train,
        test,
        classes,
        test_fraction=test_fraction,
        unlabelled=unlabelled,
        stratified=stratified,
        without=without,
    )
    return write(data, out, train, test, classes, split, progress=progress)


def draw(
    data: DataSpec,
    train: Samples,
    test: Samples | None,
    classes: Sequence[str],
    *,
    test_fraction: float | None = None,
    unlabelled: bool = False,
    stratified: bool = False,
    without: Mapping[str, Ids] | None = None,
) -> Split:
    """Check the samples and say which belong to which part.

    Without ``test``, round(fraction * N) labelled samples are held out, half to even, the fraction
    being ``data.test_fraction`` or else ``test_fraction``. ``unlabelled``: -1 is allowed as a label
    in train. ``stratified``: test and validation take the same share of every class, to within one
    sample, and never a class's last. ``without``: rows of "train" and "test" to leave out.
    UserError for whatever is wrong with the data.
    """
    checks.check_classes(classes)
    checks.check_samples("train", train, classes, unlabelled)
    if test is not None:
        checks.check_samples("test", test, classes, unlabelled=False)
        checks.check_same_shape(train.inputs, test.inputs)
    rows = {
        part: np.setdiff1d(_all(samples), (without or {}).get(part, _NONE), assume_unique=True)
        for part, samples in (("train", train), ("test", test))
        if samples is not None
    }
    split = _split(data, train, rows, test_fraction, stratified)
    checks.check_every_class(train.targets[split.train], classes)
    return split


def write(
    data: DataSpec,
    out: Path,
    train: Samples,
    test: Samples | None,
    classes: Sequence[str],
    split: Split,
    *,
    written: Mapping[str, Written] | None = None,
    scale: tuple[Floats, Floats] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Write the parts of a split into the folder ``out`` and seal them.

    ``written``: the inputs of all parts, where they lie on the disk already; ``scale``: mean and
    standard deviation of the training part's, where they are known.
    """
    held_out = train if test is None else test
    parts = [("train", train, split.train), ("test", held_out, split.test)]
    if split.validation is not None:
        parts.append(("validation", train, split.validation))
    advance = _Counter(progress, sum(len(ids) for _, _, ids in parts))
    scale = statistics(train.inputs, split.train) if scale is None else scale
    for part, samples, ids in parts:
        mine = None if written is None else written[part]
        write_bank(out / part, samples, classes, scale, ids, advance, mine)
    return seal_dataset(out, data.name)


def check_test_option(data: DataSpec, own_test: bool) -> None:
    """``data.test_fraction`` is given exactly when the source has no test set of its own."""
    if own_test and data.test_fraction is not None:
        what = f"data.test_fraction is set, but {data.name} has its own test set"
        raise UserError(what, "remove data.test_fraction")
    if not own_test and data.test_fraction is None:
        what = f"{data.name} brings no test set"
        raise UserError(what, "set data.test_fraction, for example to 0.2")


def _all(samples: Samples) -> Ids:
    return np.arange(len(samples.targets), dtype=np.int64)


def _split(
    data: DataSpec,
    train: Samples,
    rows: Mapping[str, Ids],
    default_fraction: float | None,
    stratified: bool,
) -> Split:
    rest, test_ids = rows["train"], rows.get("test")
    take = _take_of_each if stratified else _take
    validation = None
    if test_ids is None:
        fraction = default_fraction if data.test_fraction is None else data.test_fraction
        number = _test_count(data, fraction, int((train.targets[rest] >= 0).sum()))
        rest, test_ids = take(data.seed, _TEST_DRAW, train, rest, number)
    else:
        check_test_option(data, own_test=True)
        if not len(test_ids):
            raise UserError("test has no readable samples", "check that the right files were given")
    if data.validation:
        number, labelled = data.validation, len(_drawn_from(train, rest))
        if not 0 < number < labelled:
            kind = "labelled" if train.source is None else "labelled real"
            what = f"data.validation is {number}, but there are {labelled} {kind} samples"
            raise UserError(what, "ask for fewer")
        rest, validation = take(data.seed, _VALIDATION_DRAW, train, rest, number)
    return Split(rest, test_ids, validation)


def _test_count(data: DataSpec, fraction: float | None, labelled: int) -> int:
    if fraction is None:
        check_test_option(data, own_test=False)
        raise AssertionError  # the check has raised
    if not 0 < fraction < 1:
        raise UserError(f"data.test_fraction is {fraction}", "it has to lie between 0 and 1")
    number = round_share(fraction, labelled)
    if not 0 < number < labelled:
        what = f"data.test_fraction {fraction} makes {number} test samples of {labelled}"
        raise UserError(what, "both train and test need samples")
    return number


def _drawn_from(samples: Samples, ids: Ids) -> Ids:
    """Those of ``ids`` that can be held out: with a label, and real where some samples are."""
    labelled = ids[samples.targets[ids] >= 0]
    if samples.source is None:
        return labelled
    real = labelled[samples.source[labelled] == REAL]
    return real if len(real) else labelled


def _take(seed: int, draw: int, samples: Samples, ids: Ids, number: int) -> tuple[Ids, Ids]:
    """(rest, taken): ``number`` labelled ones of ``ids``, both in the source's order."""
    pool = _drawn_from(samples, ids)
    order = generator(seed, "data", "data", draw).permutation(len(pool))
    taken = np.sort(pool[order[:number]])
    return np.setdiff1d(ids, taken, assume_unique=True), taken


def _take_of_each(seed: int, draw: int, samples: Samples, ids: Ids, number: int) -> tuple[Ids, Ids]:
    """The same with equal shares of all classes: by largest remainder, and of every class at least
    one is left."""
    pool = _drawn_from(samples, ids)
    mixed = pool[generator(seed, "data", "data", draw).permutation(len(pool))]
    labels = samples.targets[mixed]
    taken = [mixed[labels == c][:n] for c, n in enumerate(_shares(np.bincount(labels), number))]
    found = np.sort(np.concatenate(taken))
    return np.setdiff1d(ids, found, assume_unique=True), found


def _shares(counts: Ids, number: int) -> Ids:
    """``number`` divided among classes of these sizes, each below its size."""
    most = np.maximum(counts - 1, 0)
    if number > most.sum():
        what = f"{number} samples cannot be held out of {int(counts.sum())}"
        raise UserError(f"{what} with one of each class left", "hold out fewer")
    exact = counts * (number / counts.sum())
    shares: Ids = np.minimum(np.floor(exact).astype(np.int64), most)
    while missing := number - int(shares.sum()):
        remainder = np.where(shares < most, exact - shares, -np.inf)
        room = np.flatnonzero(shares < most)
        first = room[np.argsort(-remainder[room], kind="stable")[:missing]]
        shares[first] += 1
    return shares


class _Counter:
    """Adds up the rows written and reports the sum."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def __call__(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)
