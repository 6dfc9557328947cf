"""Readers of what a run left in its folder. No torch: NumPy and pyarrow only."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import peek
from core.data.bank import Dataset, open_dataset
from core.data.base import DataSpec
from core.data.locations import default_cache_root
from core.data.prepare import prepared_folder
from core.errors import PrunectlError, UserError
from core.runs import Run


def read_scores(run: Run, seed: int, without: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Columns of ``scores/seed-S.parquet`` by name, each ``[N]``, ordered by sample id; null
    numbers are NaN. ``without``: columns not to be read; texts take the most memory."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(_scores(run, seed)) as file:  # read_table would load pandas, half a second
        table = file.read([name for name in file.schema_arrow.names if name not in without])
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def peek_scores(run: Run, seed: int) -> dict[str, NDArray[Any]]:
    """The same without texts and as memory maps, for who must stay small: see ``core.peek``."""
    return peek.peek_scores(_scores(run, seed))


def read_kept(run: Run, trial: str) -> NDArray[np.int64]:
    """Sorted ids a trial kept, int64."""
    kept: NDArray[np.int64] = np.load(
        _existing(run, run.path / "kept" / f"{trial}.npy"), allow_pickle=False
    )
    return kept


def read_predictions(run: Run, trial: str) -> NDArray[np.int32]:
    """Predicted classes of the test samples, int32 ``[n_test]``."""
    predictions: NDArray[np.int32] = np.load(
        _existing(run, run.path / "predictions" / f"{trial}.npy"), allow_pickle=False
    )
    return predictions


def read_dataset(folder: Path) -> Dataset:
    """A prepared dataset as memory maps, pictures and labels by sample id."""
    return open_dataset(folder)


def dataset_of(run: Run, data: DataSpec) -> tuple[Dataset | None, str]:
    """The prepared data of a run, or None and why it is not there: not prepared on this machine,
    its source gone or changed since."""
    try:
        folder = prepared_folder(data, default_cache_root())
        if not folder.is_dir():
            return None, f"{data.name} is not prepared here any more; any run of it prepares it"
        dataset = read_dataset(folder)
    except PrunectlError as error:
        return None, error.what
    known = ((run.summary() or {}).get("data") or {}).get("fingerprint")
    if known and known != dataset.fingerprint:
        return None, "the prepared data is not what this run saw"
    return dataset, ""


def _scores(run: Run, seed: int) -> Path:
    return _existing(run, run.path / "scores" / f"seed-{seed}.parquet")


def _existing(run: Run, path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{run.id} has no {path.parent.name}/{path.name}", "it may not be that far")
    return path
