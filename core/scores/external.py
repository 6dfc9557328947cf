"""Scores from a file that any other tool has written: id -> score, for every training sample.

The id of a sample is its position in the training data, from 0. Formats, by the file's ending:
``.csv`` and ``.parquet`` with a column ``id`` and one of scores; ``.npz`` with arrays ``ids`` and
``scores``; ``.json`` with {"0": 1.5, ...}.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError, nearest

KIND = "given"
DIRECTION: Literal["high", "low"] = "high"
FORMULA = "what the file says; keep: low turns it around"
READS = "a file with a score for every training sample"
WHEN = "scores of other tools, published lists, a human's judgement"

Arrays = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Params:
    """Which file, which column, which end is kept."""

    path: str
    """CSV, parquet, npz or JSON file."""
    column: str | None = None
    """Column of the scores in a CSV or parquet file; null: the only one beside id."""
    keep: Literal["high", "low"] = "high"
    """Which end is important."""


@dataclass(frozen=True)
class External:
    """A file of scores."""

    params: Params

    @property
    def file(self) -> Path:
        """The file, ``~`` expanded."""
        return Path(self.params.path).expanduser()

    def fingerprint(self) -> str:
        """SHA-256 of the file. One that cannot be read: UserError."""
        try:
            return hashlib.sha256(self.file.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(
                f"score.path: cannot read {self.file}: {error.strerror}",
                "give the file of scores",
            ) from None

    def values(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """float32 ``[n]`` by id. Ids that are missing, twice or out of range, and scores that are
        no numbers: UserError."""
        ids, scores = self._checked(n)
        found = np.empty(n, dtype=np.float32)
        found[ids] = scores
        return found if self.params.keep == "high" else -found

    def _checked(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        raw_ids, raw_scores = self._read()
        if len(raw_ids) != len(raw_scores):
            raise UserError(f"{self.file}: {len(raw_ids)} ids and {len(raw_scores)} scores")
        try:
            ids, scores = _whole(raw_ids), np.asarray(raw_scores, dtype=np.float64)
        except (TypeError, ValueError):
            raise UserError(
                f"{self.file}: ids must be whole numbers and scores numbers", "look at the file"
            ) from None
        outside = ids[(ids < 0) | (ids >= n)]
        if len(outside):
            raise UserError(
                f"{self.file}: id {outside[0]} is no training sample; ids go from 0 to {n - 1}",
                "an id is the position of a sample in the training data",
            )
        counts = np.bincount(ids, minlength=n)
        if counts.max(initial=0) > 1:
            raise UserError(f"{self.file}: id {int(counts.argmax())} is there twice")
        bad = np.flatnonzero(np.isnan(scores))
        if len(bad):
            raise UserError(
                f"{self.file}: the score of id {ids[bad[0]]} is not a number ({len(bad)} such)"
            )
        if len(ids) < n:
            raise UserError(
                f"{self.file}: {n - len(ids)} of {n} training samples have no score, such as id "
                f"{int(np.flatnonzero(counts == 0)[0])}",
                "give every sample one",
            )
        return ids, scores

    def _read(self) -> Arrays:
        readers = {".csv": _csv, ".parquet": _parquet, ".npz": _npz, ".json": _json}
        reader = readers.get(self.file.suffix.lower())
        if reader is None:
            raise UserError(
                f"score.path: {self.file.name} is none of {', '.join(readers)}",
                "convert it to one of them",
            )
        self.fingerprint()  # says so if it cannot be opened
        try:
            return reader(self.file, self.params.column)
        except UserError:
            raise
        except (ValueError, KeyError, OSError, TypeError, AttributeError) as error:
            words = " ".join(str(error).split())[:120]
            kind = self.file.suffix[1:]
            raise UserError(f"{self.file} cannot be read as {kind}: {words}") from None


def make(params: Params) -> External:
    """The score with these options."""
    return External(params)


def _whole(ids: NDArray[Any]) -> NDArray[np.int64]:
    numbers = np.asarray(ids, dtype=np.float64 if ids.dtype.kind in "fO" else None)
    whole = numbers.astype(np.int64)
    if numbers.dtype.kind == "f" and not (numbers == whole).all():
        raise ValueError("not whole")
    return whole


def _csv(file: Path, column: str | None) -> Arrays:
    from pyarrow import csv

    return _columns(csv.read_csv(file), file, column)


def _parquet(file: Path, column: str | None) -> Arrays:
    from pyarrow import parquet

    return _columns(parquet.read_table(file), file, column)


def _columns(table: Any, file: Path, column: str | None) -> Arrays:
    names = [str(n) for n in table.column_names]
    if "id" not in names:
        raise UserError(f"{file} has no column 'id' (it has {', '.join(names)})", "name it so")
    others = [n for n in names if n != "id"]
    if column is None and len(others) != 1:
        raise UserError(
            f"{file} has the columns {', '.join(names)}", "say which holds the scores: score.column"
        )
    chosen = others[0] if column is None else column
    if chosen not in others:
        raise UserError(f"{file} has no column '{chosen}'", nearest(chosen, others))
    ids, scores = (table.column(n).to_numpy() for n in ("id", chosen))
    return ids, scores


def _npz(file: Path, column: str | None) -> Arrays:
    with np.load(file, allow_pickle=False) as arrays:
        if not {"ids", "scores"} <= set(arrays.files):
            names = ", ".join(arrays.files)
            raise UserError(f"{file} has the arrays {names}", "name them ids and scores")
        return arrays["ids"].ravel(), arrays["scores"].ravel()


def _json(file: Path, column: str | None) -> Arrays:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(n for n in names if names.count(n) > 1)
            raise UserError(f"{file}: id {twice} is there twice")
        return dict(pairs)

    scores = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=unique)
    if not isinstance(scores, dict):
        raise UserError(f"{file} holds no mapping of ids to scores", 'write {"0": 1.5, ...}')
    ids = np.array([int(key) for key in scores], dtype=np.int64)
    values = [np.nan if v is None else float(v) for v in scores.values()]
    return ids, np.array(values, dtype=np.float64)
