"""Extrapolating and pruning on files people already have: read, check, compute, write one file.

Answers the jobs of ``prunectl extrapolate`` and ``prunectl prune``. Embeddings are memory-mapped;
what is written appears whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from core import registry
from core.errors import UserError, nearest
from core.extrapolators.alone import Extrapolated, extrapolate
from core.files import disk_errors
from core.metrics import subset_share
from core.rng import generator
from core.selection.base import SelectionInput, keep
from core.units import n_keep, parse_size

Progress = Callable[[str, int, int], None]


def extrapolate_files(job: Mapping[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    """Predict the scores of all rows of ``job["embeddings"]`` and write ``job["out"]``.

    The table has the columns id, score, std (null where measured), source (scored or
    extrapolated). ``job["max_memory"]``, a size such as "2G", bounds what is held beside the mapped
    embeddings. Gives what is worth saying of it.
    """
    out = _writable(Path(job["out"]))
    embeddings = read_array(Path(job["embeddings"]), "embeddings")
    ids, scores = read_scores(Path(job["scores"]))
    labels = read_array(Path(job["labels"]), "labels") if job.get("labels") else None
    limit = _size(job.get("max_memory"))
    found = extrapolate(
        embeddings, ids, scores, labels=labels, method=job["method"],
        options=job.get("options") or {}, seed=int(job.get("seed") or 0),
        threads=job.get("threads"), progress=progress, max_memory=limit,
        in_sample=bool(job.get("in_sample")),
    )  # fmt: skip
    _write(out, _table(found))
    return {
        "schema": 1, "out": str(out), "n": len(found.scores), "scored": int(found.scored.sum()),
        "method": found.method, "chosen": found.chosen, "heldout": found.heldout.as_json(),
        "coverage80": found.heldout.coverage80, "notes": list(found.notes),
        "candidates": [
            {"params": c.params, "heldout": c.heldout, "chosen": c.chosen} for c in found.candidates
        ],
    }  # fmt: skip


def prune_files(job: Mapping[str, Any]) -> dict[str, Any]:
    """Keep (1 - rate) of the rows of ``job["scores"]`` and write their ids, sorted int64.

    ``job["column"]`` is the score, ``job["direction"]`` says whether high or low ones are kept;
    a policy that reads further scores finds them among the table's columns.
    """
    out = _writable(Path(job["out"]))
    table = _read_table(Path(job["scores"]))
    ids = _column(table, "id", job["scores"])
    score = _column(table, job["column"], job["scores"]).astype(np.float32)
    if ids.dtype.kind not in "iu" or len(np.unique(ids)) < len(ids):
        raise UserError(f"{job['scores']}: the column id does not hold different whole numbers")
    rate = float(job["rate"])
    if not 0 < rate < 1:
        raise UserError(f"--rate {rate:g} is not between 0 and 1", "a rate is the pruned fraction")
    columns = _numeric(table)
    module, params = _policy(job["policy"], job.get("options") or {}, columns)
    rows = SelectionInput(
        score=score if job.get("direction", "high") == "high" else -score,
        labels=_labels_of(job.get("labels"), ids),
        columns=columns,
        params=params,
        directions=_directions(columns),
    )
    count = n_keep(rate, len(ids))
    rng = generator(int(job.get("seed") or 0), "analysis", "select")
    kept = np.sort(ids[keep(module, rows, count, rate, rng)]).astype(np.int64)
    with disk_errors(out):
        temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.save(file, kept)
        temporary.replace(out)
    scored = ids[table["source"] == "scored"] if "source" in table else None
    return {
        "schema": 1, "out": str(out), "n": len(ids), "n_kept": len(kept), "rate": rate,
        "policy": job["policy"],
        "subset_share": None if scored is None else subset_share(kept, scored.astype(np.int64)),
    }  # fmt: skip


def _size(text: str | None) -> int | None:
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise UserError(f"--max-memory: {error}") from None


def read_array(path: Path, what: str) -> NDArray[Any]:
    """A memory map of an ``.npy`` file; pickled objects are refused."""
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file", f"give --{what} an .npy file") from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} is no .npy file of numbers ({error})") from error
    if not isinstance(found, np.ndarray):
        raise UserError(f"{path} holds several arrays", "save the one as .npy")
    return found


def read_scores(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The columns id and score of a CSV or parquet file."""
    table = _read_table(path)
    ids, scores = (_column(table, name, path) for name in ("id", "score"))
    if scores.dtype.kind not in "fiu":
        raise UserError(f"{path}: the column score holds something that is no number")
    return ids, scores


def _read_table(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        read = pq.read_table if path.suffix in (".parquet", ".pq") else pc.read_csv
        table = read(path)
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({first})", "give CSV or .parquet") from error
    return {n: table.column(n).to_numpy(zero_copy_only=False) for n in table.column_names}


def _column(table: Mapping[str, NDArray[Any]], name: str, path: Any) -> NDArray[Any]:
    if name not in table:
        raise UserError(
            f"{path} has no column '{name}'", "it has: " + (", ".join(table) or "no column")
        )
    return table[name]


def _numeric(table: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    return {n: c.astype(np.float32) for n, c in table.items() if c.dtype.kind in "fiub"}


def _labels_of(path: Any, ids: NDArray[Any]) -> NDArray[np.int64] | None:
    if not path:
        return None
    labels = read_array(Path(path), "labels")
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) <= int(ids.max()):
        raise UserError(
            f"{path}: labels are {labels.dtype} {list(labels.shape)}",
            f"give whole numbers, one for each id up to {int(ids.max())}",
        )
    return np.asarray(labels[ids], dtype=np.int64)


def _policy(name: str, options: Mapping[str, Any], columns: Mapping[str, Any]) -> tuple[Any, Any]:
    """Module and options. A further score that the policy reads by default, but the table lacks, is
    done without where the policy can."""
    known = registry.param_names("policy", name)
    for key in options:
        if key not in known:
            raise UserError(f"policy {name} has no option '{key}'", nearest(key, known))
    module: Any = registry.load("policy", name)
    for needed in getattr(module, "NEEDS", ()):
        if needed not in ("labels", "embeddings", "neighbors", *columns):
            raise UserError(_lacking(name, needed, columns), "add the column")
    if not known:
        return module, None
    checked = _validated(name, options)
    companion = getattr(module, "COMPANION", "")
    wanted = checked.get(companion)
    if wanted is not None and wanted not in columns:
        if companion in options or not _optional(name, options, companion):
            todo = f"add the column, or name another: --set {companion}=NAME"
            raise UserError(_lacking(name, wanted, columns), todo)
        checked[companion] = None
    return module, module.Params(**checked)


def _lacking(policy: str, column: str, columns: Mapping[str, Any]) -> str:
    has = ", ".join(columns)
    return f"policy {policy} reads the column '{column}', and the table has: {has}"


def _validated(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return registry.validate_params("policy", name, options)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"option {first['loc'][0]} of {name}: {first['msg']}") from error


def _optional(name: str, options: Mapping[str, Any], companion: str) -> bool:
    try:
        registry.validate_params("policy", name, {**options, companion: None})
    except ValidationError:
        return False
    return True


def _directions(columns: Mapping[str, Any]) -> dict[str, str]:
    """Which end of each column is important, where it is named like a score we know."""
    scores = set(registry.names("score")) & set(columns)
    return {n: registry.describe("score", n).constants.get("DIRECTION", "high") for n in scores}


def _table(found: Extrapolated) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(np.arange(len(found.scores), dtype=np.int64)),
            "score": pa.array(found.scores),
            "std": pa.array(found.std, mask=found.scored),
            "source": pa.array(np.where(found.scored, "scored", "extrapolated")),
        }
    )


def _writable(out: Path) -> Path:
    if not out.parent.is_dir():
        raise UserError(f"{out.parent}: no such folder", "make it, or choose another --out")
    return out


def _write(out: Path, table: pa.Table) -> None:
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with disk_errors(out):
        try:
            pq.write_table(table, temporary)
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
