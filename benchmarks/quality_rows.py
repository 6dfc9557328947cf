"""Rows of the quality bench: one prediction of one score held to the scores of a full run.

A row knows what its method cost: ``passes``, samples shown to a net, and ``flops``, over all stages
it read. It also has a digest of the code and the runs it was made with, so that only what changed
is made again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

import core.extrapolators
import core.neighbors
from benchmarks import paper
from benchmarks.quality_cells import DOUBLED, FRACTIONS, Setup, Subset, mixed_methods
from core.errors import PrunectlError
from core.extrapolators.base import Features
from core.extrapolators.choose import choose
from core.extrapolators.mapping import match_distribution
from core.files import sha256
from core.metrics import coverage80, kept_recall, pearson, spearman, subset_share
from core.neighbors import Neighbors, among_all
from core.registry import load, names
from core.selection.base import highest

RATES = (0.3, 0.5, 0.7)
PAPER = tuple(paper.METHODS)
CROSS_FITTED = "auto, cross-fitted"
MATCHED = "auto, matched"
RELIABILITY = "two full runs"
Row = dict[str, Any]


def methods() -> tuple[str, ...]:
    """The paper's two, the subset net itself, then every extrapolator there is."""
    return (*PAPER, "direct", *names("extrapolator"), CROSS_FITTED, MATCHED)


def expected(setup: Setup) -> list[tuple[str, int, float, str]]:
    """(suite, seed, subset, method) of all rows; subset 1 is a full run."""
    found: list[tuple[str, int, float, str]] = []
    for seed in setup.seeds:
        for suite in setup.suites:
            found += [(suite, seed, f, m) for f in FRACTIONS for m in methods()]
            found += [(suite, seed, DOUBLED, m) for m in (*PAPER, "auto")]
            found.append((suite, seed, 1.0, RELIABILITY))
    return found


def key(row: Mapping[str, Any]) -> tuple[str, int, float, str]:
    """What a row is of, its score left out."""
    return row["suite"], row["seed"], row["fraction"], row["method"]


def rows(
    setup: Setup, known: Iterable[Row], only: Iterable[str] | None = None
) -> Iterator[list[Row]]:
    """Every row whose runs are there and that ``known`` lacks, or has from other code or runs; the
    scores of a method together."""
    have = {key(row): row["digest"] for row in known}
    cells: dict[tuple[str, int, float], Cell] = {}
    for suite, seed, fraction, method in expected(setup):
        if only is not None and method not in only:
            continue
        place = (suite, seed, fraction)
        if place not in cells:
            cells = {place: Cell(setup, *place)}  # one at a time is held
        cell = cells[place]
        if not cell.there:
            continue
        if method == MATCHED and not cell.matched_file.exists():
            continue
        made_of = digest(method, cell.digest + cell.added(method))
        if have.get((*place, method)) == made_of:
            continue
        try:
            made = list(cell.rows(method))
        except PrunectlError as error:
            print(f"{suite}, seed {seed}, {fraction:g}, {method}: {error}", flush=True)
            continue
        about = {"suite": suite, "seed": seed, "fraction": fraction, "method": method}
        yield [{**about, "digest": made_of, **row} for row in made]


class Cell:
    """The runs of one suite, seed and subset (1: two full runs)."""

    def __init__(self, setup: Setup, suite: str, seed: int, fraction: float) -> None:
        self.seed, self.fraction = seed, fraction
        self.matched_file = setup.matched_file(suite, seed, fraction)
        self._truth = setup.truth_file(suite, seed)
        self._runs = (
            setup.truth_file(suite, seed, again=True)
            if fraction == 1
            else setup.cell_file(suite, seed, fraction)
        )

    @property
    def there(self) -> bool:
        """Whether its runs have been made."""
        return self._truth.exists() and self._runs.exists()

    @cached_property
    def digest(self) -> str:
        """Of its runs."""
        return sha256(self._truth) + sha256(self._runs)

    def added(self, method: str) -> str:
        """Digest of what this method reads beside."""
        return sha256(self.matched_file) if method == MATCHED else ""

    @cached_property
    def full(self) -> np.ndarray:
        """Scores ``[N, S]`` of a run on all data."""
        return _scores(self._truth)

    @cached_property
    def subset(self) -> Subset:
        """The runs on the subset."""
        return Subset.read(self._runs)

    @cached_property
    def near(self) -> Neighbors:
        """Neighbours of every sample among all."""
        return among_all(self.subset.embeddings, 20, threads=1)

    def rows(self, method: str) -> Iterator[Row]:
        """One row a score."""
        if method == RELIABILITY:
            yield from self._reliability()
            return
        subset = self.subset
        if method == MATCHED:
            subset = replace(subset, scores=np.load(self.matched_file))
        start = time.perf_counter()
        made = predicted(method, subset, self.near, self.seed)
        seconds = (time.perf_counter() - start) / len(subset.names)
        stages = _stages(method)
        cost = {
            what: sum(subset.costs[stage][what] for stage in stages) for what in ("passes", "flops")
        }
        for column, score in enumerate(subset.names):
            truth, own = self.full[:, column], subset.scores[:, column]
            yield {
                "score": score, "n": len(self.full), "seconds": seconds, **cost,
                "ceiling": spearman(own, truth[subset.ids]), "chosen": made.chosen.get(score),
                **figures(made.values[:, column], made.std[:, column], truth, own, subset),
            }  # fmt: skip

    def _reliability(self) -> Iterator[Row]:
        again, count = _scores(self._runs), len(self.full)
        for column, score in enumerate(_names(self._runs)):
            truth, other = self.full[:, column], again[:, column]
            yield {
                "score": score, "n": count,
                **agreement(other, truth, np.arange(count)), **recalls(other, truth),
            }  # fmt: skip


@dataclass(frozen=True)
class Predicted:
    """``values`` and ``std`` ``[N, S]`` of one method, and the settings it chose by score."""

    values: np.ndarray
    std: np.ndarray
    chosen: dict[str, Any]


def predicted(method: str, subset: Subset, near: Neighbors, seed: int) -> Predicted:
    """Every score on its own. UserError where a method cannot work with this subset."""
    shape = (len(subset.embeddings), len(subset.names))
    nothing = np.full(shape, np.nan, np.float32)
    if method == "direct":
        assert subset.direct is not None  # it is asked of the subsets alone that have it
        return Predicted(subset.direct, nothing, {})
    made = Predicted(nothing, nothing.copy(), {})
    x = Features(
        subset.embeddings, subset.labels, near, predictions=subset.probabilities,
        trained_on=subset.ids, threads=1,
    )  # fmt: skip
    if method in ("dynamics", CROSS_FITTED):
        x = replace(x, dynamics=subset.dynamics)
    for column, score in enumerate(subset.names):
        own = subset.scores[:, column]
        if method in paper.METHODS:
            found = paper.METHODS[method](x.embeddings, subset.labels, subset.ids, own, seed)
            made.values[:, column] = found
            continue
        name = "auto" if method in (CROSS_FITTED, MATCHED) else method
        module: Any = load("extrapolator", name)
        options = {"methods": mixed_methods()} if method == CROSS_FITTED else {}
        choice = choose(module.make(module.Params(**options)), x, subset.ids, own, seed)
        made.values[:, column] = choice.prediction.values[:, 0]
        made.std[:, column] = choice.prediction.std[:, 0]
        made.chosen[score] = choice.chosen
    return made


def figures(
    values: np.ndarray, std: np.ndarray, truth: np.ndarray, own: np.ndarray, subset: Subset
) -> Row:
    """Everything that is said of one prediction ``[N]`` of one score."""
    unseen = subset.unseen
    scored = np.zeros(len(truth), dtype=bool)
    scored[subset.ids] = True
    merged = values.copy()
    merged[~scored] = match_distribution(values[~scored], own)
    merged[scored] = own
    found = {**agreement(values, truth, unseen), **recalls(merged, truth)}
    kept = highest(merged, round(0.3 * len(merged)))
    found["share 0.7"] = subset_share(kept, subset.ids)
    if np.isfinite(std[unseen]).all():
        # the full run's scores differ from the subset's in level, so its order is what is judged
        mapped = match_distribution(truth[unseen], own)
        found["coverage80"] = coverage80(values[unseen], std[unseen], mapped)
    return found


def agreement(values: np.ndarray, truth: np.ndarray, ids: np.ndarray) -> Row:
    """Correlations on ``ids``: on all, and on the fifths with the highest and lowest truth."""
    order = ids[np.argsort(truth[ids], kind="stable")]
    fifth = max(2, len(order) // 5)
    parts = {"top": order[-fifth:], "bottom": order[:fifth]}
    return {
        "spearman": spearman(values[ids], truth[ids]),
        "pearson": pearson(values[ids], truth[ids]),
        **{f"spearman {k} 20%": spearman(values[p], truth[p]) for k, p in parts.items()},
    }


def recalls(values: np.ndarray, truth: np.ndarray) -> Row:
    """Share of what true scores keep that these keep, by pruned fraction."""
    count = len(truth)
    return {
        f"recall {rate}": kept_recall(highest(values, round((1 - rate) * count)), truth)
        for rate in RATES
    }


def digest(method: str, runs: str) -> str:
    """Of the runs and the code that a method's rows are made with."""
    if method in (RELIABILITY, "direct"):
        code = b""
    elif method in paper.METHODS:
        code = Path(paper.__file__).read_bytes()
    else:
        code = predictors_code()
    return hashlib.sha256(code + runs.encode()).hexdigest()[:16]


@cache
def predictors_code() -> bytes:
    """Digest of all extrapolators' code and of the search for neighbours."""
    folder = Path(core.extrapolators.__file__).parent
    files = [*sorted(folder.glob("*.py")), Path(core.neighbors.__file__)]
    return "".join(sha256(file) for file in files).encode()


def read(file: Path) -> list[Row]:
    """Rows of a JSONL file; of rows with the same key and score the last."""
    if not file.exists():
        return []
    found: dict[Any, Row] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        row: Row = json.loads(line)
        found[(*key(row), row.get("score"), row.get("rate"))] = row
    return list(found.values())


def _stages(method: str) -> tuple[str, ...]:
    """The stages whose nets a method reads; direct is charged with its own run alone."""
    if method == "direct":
        return ("direct",)
    crossfit = ("crossfit",) if method in ("dynamics", CROSS_FITTED) else ()
    return ("score", "embed", *crossfit)


def _scores(file: Path) -> np.ndarray:
    with np.load(file, allow_pickle=False) as found:
        scores: np.ndarray = found["full"]
        return scores


def _names(file: Path) -> list[str]:
    with np.load(file, allow_pickle=False) as found:
        named: list[str] = json.loads(str(found["names"]))
        return named
