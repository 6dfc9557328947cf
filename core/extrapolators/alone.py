"""Extrapolation of scores that someone already has, without a run around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from core import registry
from core.errors import UserError, nearest
from core.extrapolators.base import Extrapolator, Features, Floats, Ids, others
from core.extrapolators.choose import Candidate, HeldOut, choose
from core.extrapolators.mapping import match_distribution
from core.memory_limit import KEPT_BY, Blocks, blocks
from core.neighbors import among_all

Progress = Callable[[str, int, int], None]
_SHOWN = 5  # ids named in an error


@dataclass(frozen=True)
class Extrapolated:
    """A score for every sample.

    ``scores`` float32 ``[N]``: measured where it was given, elsewhere the prediction mapped to the
    distribution of the measured ones, so that neither group fills the tails. ``predicted`` float32
    ``[N]``: the raw predictions, NaN for scored samples. ``std`` float32 ``[N]``: of a prediction,
    in units of the score, NaN for scored samples. ``scored`` bool ``[N]``.
    """

    scores: Floats
    predicted: Floats
    std: Floats
    scored: NDArray[np.bool_]
    method: str
    chosen: dict[str, Any]
    heldout: HeldOut
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()


def extrapolate(
    embeddings: NDArray[Any],
    ids: ArrayLike,
    scores: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    method: str = "auto",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    max_memory: int | None = None,
    in_sample: bool = False,
) -> Extrapolated:
    """Predict the score of every sample from the scores of a few.

    ``embeddings`` ``[N, d]``, any float type, may be a memory map; ``ids`` ``[m]``: rows that have
    a score; ``scores`` ``[m]``, any unit; ``labels`` ``[N]``, -1 where unknown. ``method`` is an
    extrapolator's name, ``options`` its own options; what they leave open is chosen on a fifth of
    the scored samples, drawn by ``seed``. ``progress(what, done, total)`` is called now and then.
    ``max_memory``, bytes: what may be held beside the embeddings; the blocks in which they are
    checked, normalised, searched and predicted follow from it (``knn``, ``kernel``, ``ridge``).
    ``in_sample``: the net behind the embeddings was trained on the scored samples, so methods that
    read positions cannot be judged by them; see :mod:`core.extrapolators.auto`.
    Anything that does not fit together: UserError, before anything is computed.
    """
    made = _method(method, options or {})
    if "dynamics" in made.needs:
        raise UserError(
            "the extrapolator dynamics reads nets that are trained within a run",
            "start a run with score.cross_fit: 2, or take another method",
        )
    _check_shape(embeddings)
    known, values = check_scores(ids, scores, len(embeddings))
    limit = _limit(max_memory, embeddings, len(known), method, made, labels)
    rows = _checked_embeddings(embeddings, limit.checked, progress)
    given = None if labels is None else _checked_labels(labels, len(rows))
    near, notes = None, list[str]()
    if "neighbors" in made.needs:
        k = min(_graph_neighbors(method, options or {}), len(rows) - 1)
        near = among_all(
            rows, k, threads=threads, told=notes.append,
            progress=None if progress is None else lambda d, n: progress("neighbours", d, n),
        )  # fmt: skip
    x = Features(
        rows, given, near, trained_on=known if in_sample else None, threads=threads,
        told=notes.append, block=limit.search,
        progress=None if progress is None else lambda d, n: progress("predictions", d, n),
    )  # fmt: skip
    choice = choose(made, x, known, values[:, None], seed)
    return replace(_merged(x, known, values, method, choice), notes=tuple(dict.fromkeys(notes)))


def check_scores(ids: ArrayLike, scores: ArrayLike, count: int) -> tuple[Ids, Floats]:
    """Ids int64 ``[m]``, ascending, and their scores float32 ``[m]``; UserError for ids that are no
    row of 0..count-1 or occur twice, and for scores that are no number."""
    rows, values = np.asarray(ids), np.asarray(scores, dtype=np.float32)
    if rows.ndim != 1 or rows.shape != values.shape:
        raise UserError(f"ids {rows.shape} and scores {values.shape} are not two equal columns")
    if rows.dtype.kind not in "iu":
        raise UserError("ids must be whole numbers: rows of the embeddings, counted from 0")
    rows = rows.astype(np.int64)
    outside = rows[(rows < 0) | (rows >= count)]
    if len(outside):
        raise UserError(
            f"{_named(outside, 'id')} outside 0..{count - 1}",
            f"the embeddings have {count} rows, counted from 0",
        )
    order = np.argsort(rows, kind="stable")
    twice = np.unique(rows[order][1:][np.diff(rows[order]) == 0])
    if len(twice):
        raise UserError(f"{_named(twice, 'id')} given more than once")
    bad = rows[~np.isfinite(values)]
    if len(bad):
        raise UserError(f"no finite score (NaN, empty or infinite) for {_named(bad, 'id')}")
    if len(rows) < 2:
        raise UserError(f"{len(rows)} scored samples are too few to extrapolate from")
    if len(rows) == count:
        raise UserError("every sample has a score: there is nothing to extrapolate")
    return rows[order], values[order]


def _check_shape(embeddings: NDArray[Any]) -> None:
    if embeddings.ndim != 2 or embeddings.dtype.kind not in "fiu":
        raise UserError(
            f"embeddings are {embeddings.dtype} {list(embeddings.shape)}",
            "give numbers [samples, features]",
        )


def _limit(
    max_memory: int | None, embeddings: NDArray[Any], scored: int, method: str, made: Any,
    labels: ArrayLike | None,
) -> Blocks:  # fmt: skip
    if max_memory is None:
        return Blocks()
    count, width = embeddings.shape
    tried = made.candidates(scored) if method in KEPT_BY else [None]
    neighbors = max(min(scored, getattr(p, "k", getattr(p, "reach", 0))) for p in tried)
    classes = 0
    if "labels" in made.needs and labels is not None:
        classes = max(0, int(np.max(labels, initial=-1)) + 1)
    return blocks(
        max_memory, count, scored, width, embeddings.dtype.itemsize, neighbors, method=method,
        search=getattr(tried[0], "search", "auto"), metric=getattr(tried[0], "metric", "cosine"),
        classes=classes,
    )  # fmt: skip


def _checked_embeddings(
    embeddings: NDArray[Any], step: int, progress: Progress | None
) -> NDArray[Any]:
    bad: list[int] = []
    for start in range(0, len(embeddings), step):
        block = np.asarray(embeddings[start : start + step], dtype=np.float32)
        bad += (start + np.flatnonzero(~np.isfinite(block).all(axis=1))).tolist()
        if progress is not None:
            progress("embeddings checked", min(start + step, len(embeddings)), len(embeddings))
    if bad:
        raise UserError(f"NaN or infinite values in the embeddings of {_named(bad, 'row')}")
    return embeddings


def _checked_labels(labels: ArrayLike, count: int) -> Ids:
    given = np.asarray(labels)
    if given.shape != (count,) or given.dtype.kind not in "iu":
        raise UserError(
            f"labels are {given.dtype} {list(given.shape)}",
            f"give {count} whole numbers, one a sample, -1 where unknown",
        )
    return given.astype(np.int64)


def _method(name: str, options: Mapping[str, Any]) -> Extrapolator[Any]:
    about = registry.describe("extrapolator", name)
    unknown = sorted(set(options) - {p.name for p in about.params})
    if unknown:
        names = sorted(p.name for p in about.params)
        raise UserError(f"{name} has no option '{unknown[0]}'", nearest(unknown[0], names))
    try:
        checked = registry.validate_params("extrapolator", name, options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1])
        raise UserError(f"option {where} of {name}: {first['msg']}") from error
    module: Any = registry.load("extrapolator", name)
    made: Extrapolator[Any] = module.make(module.Params(**checked))
    return made


def _graph_neighbors(name: str, options: Mapping[str, Any]) -> int:
    from core.needs import neighbors_read

    return neighbors_read(name, registry.validate_params("extrapolator", name, options)) or 1


def _merged(x: Features, ids: Ids, values: Floats, method: str, choice: Any) -> Extrapolated:
    predicted: Floats = choice.prediction.values[:, 0]
    std: Floats = choice.prediction.std[:, 0]
    rest = others(x, ids)
    scores = np.empty(len(x), np.float32)
    scores[rest] = match_distribution(predicted[rest], values)
    scores[ids] = values
    scored = np.zeros(len(x), dtype=bool)
    scored[ids] = True
    return Extrapolated(
        scores, predicted, std, scored, method, choice.chosen, choice.heldout, choice.candidates
    )


def _named(which: Any, noun: str) -> str:
    """``id 7`` or ``12 ids: 3, 8, 9, 11, 14, ...``."""
    shown = ", ".join(str(i) for i in list(which)[:_SHOWN])
    if len(which) == 1:
        return f"{noun} {shown}"
    return f"{len(which)} {noun}s: {shown}{', ...' if len(which) > _SHOWN else ''}"
