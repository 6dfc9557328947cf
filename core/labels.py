"""Labels that are given after a run began, for samples its source has none for.

They lie in the run folder (``labels.csv``), not in the source: what is scored and chosen then stays
as it was, only trainings on these samples read them. Torch-free: front ends read and check them.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.bank import Dataset
from core.errors import UserError, nearest
from core.files import disk_errors, write_atomic
from core.runs import Run

FILE = "labels.csv"
Ids = NDArray[np.int64]
_SHAPE = "give a .csv with columns id or path, and label, or an .npz with ids and labels"


def read_added(run: Run) -> dict[int, int]:
    """Labels given to the run so far, by id; empty when there are none."""
    file = run.path / FILE
    if not file.is_file():
        return {}
    with disk_errors(file), open(file, newline="", encoding="utf-8") as text:
        return {int(row["id"]): int(row["label"]) for row in csv.DictReader(text)}


def with_added(dataset: Dataset, run: Run) -> Dataset:
    """The dataset with the run's added labels in place; the same one when there are none."""
    added = read_added(run)
    if not added:
        return dataset
    targets = np.array(dataset.train.targets)
    targets[list(added)] = list(added.values())
    return replace(dataset, train=replace(dataset.train, targets=targets))


def add_labels(run: Run, dataset: Dataset, file: Path) -> int:
    """Check the labels in ``file`` against the data and keep them with the run; how many are new.

    UserError, and nothing changed, for an unknown sample or class, for a sample named twice, and
    for one that has another label already.
    """
    given = _read(file, dataset)
    targets, known = np.asarray(dataset.train.targets), read_added(run)
    before = {i: known.get(i, int(targets[i])) for i in given}
    changed = [i for i, label in given.items() if before[i] not in (-1, label)]
    if changed:
        first, names = changed[0], dataset.classes
        what = f"sample {first} is labelled '{names[before[first]]}', not '{names[given[first]]}'"
        raise UserError(f"{what}{_more(changed)}", "labels that were used are not changed")
    new = {i: label for i, label in given.items() if before[i] == -1}
    rows = sorted({**known, **new}.items())
    text = "id,label\n" + "".join(f"{i},{label}\n" for i, label in rows)
    write_atomic(run.path / FILE, text.encode())
    return len(new)


def unlabelled(dataset: Dataset, ids: Ids) -> Ids:
    """Those of ``ids`` that have no label."""
    missing: Ids = ids[np.asarray(dataset.train.targets)[ids] < 0]
    return missing


def _read(file: Path, dataset: Dataset) -> dict[int, int]:
    if not file.is_file():
        raise UserError(f"there is no file {file}", _SHAPE)
    pairs = _npz(file, dataset) if file.suffix == ".npz" else _csv(file, dataset)
    found: dict[int, int] = {}
    for sample, label in pairs:
        if sample in found:
            raise UserError(f"{file} names sample {sample} twice", "give each sample one label")
        found[sample] = label
    if not found:
        raise UserError(f"{file} holds no label", _SHAPE)
    return found


def _npz(file: Path, dataset: Dataset) -> Iterable[tuple[int, int]]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            ids, labels = archive["ids"], archive["labels"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{file} has no arrays ids and labels", _SHAPE) from error
    whole = ids.dtype.kind in "iu" and labels.dtype.kind in "iu"
    if not whole or ids.ndim != 1 or ids.shape != labels.shape:
        raise UserError(f"ids and labels in {file} are no two lists of integers", _SHAPE)
    for sample, label in zip(ids.tolist(), labels.tolist(), strict=True):
        yield _id(str(sample), dataset), _class(str(label), dataset)


def _csv(file: Path, dataset: Dataset) -> Iterable[tuple[int, int]]:
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        named = set(rows.fieldnames or ())
        if "label" not in named or not named & {"id", "path"}:
            raise UserError(f"{file} has no columns id or path, and label", _SHAPE)
        places = None if "id" in named else _places(dataset)
        for row in rows:
            sample = _id(row["id"], dataset) if places is None else _path(row["path"], places)
            yield sample, _class(row["label"] or "", dataset)
    except csv.Error as error:
        raise UserError(f"{file} is no CSV: {error}", _SHAPE) from error


def _places(dataset: Dataset) -> dict[str, int]:
    if dataset.train.path is None:
        raise UserError("the samples of this run are no files", "give ids instead of paths")
    return {path: sample for sample, path in enumerate(dataset.train.path)}


def _path(text: str | None, places: dict[str, int]) -> int:
    if text not in places:
        raise UserError(f"no training sample is the file '{text}'", "write paths as export does")
    return places[text]


def _id(text: str | None, dataset: Dataset) -> int:
    count = len(dataset.train)
    if not (text or "").strip().isdecimal() or int(text or "") >= count:
        raise UserError(f"'{text}' is no id", f"ids are whole numbers from 0 to {count - 1}")
    return int(text or "")


def _class(text: str, dataset: Dataset) -> int:
    """A class by name, else by number."""
    if text in dataset.classes:
        return dataset.classes.index(text)
    if text.strip().isdecimal() and int(text) < len(dataset.classes):
        return int(text)
    raise UserError(f"no class is called '{text}'", nearest(text, dataset.classes))


def _more(ids: list[int]) -> str:
    return f" (and {len(ids) - 1} more)" if len(ids) > 1 else ""
