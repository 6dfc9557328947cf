"""Scoring runs of the quality bench: what the preset ``quality`` describes, trained once.

The graph of one suite and seed is that of the preset's sweep, with all its subsets and ways to
predict; of it only the trainings are run here. What predictors need of them is written to
``cells/*.npz``, what they are held to (scores of two full runs) to ``truth/*.npz``, so that rows
are made again in minutes when a predictor changes. After a change of cross-fitting remove
``cells``: what did not change is found in the store.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.data.bank import Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.files import write_atomic
from core.pipeline import run_task
from core.plan.build import build_graph
from core.plan.tasks import Graph, Task
from core.rng import generator
from core.spec import Spec
from core.stages import crossfit, train_task
from core.stages.base import Context
from core.stages.score import score_seal
from core.store import Store
from core.sweep_spec import Cell, parse_sweep
from core.training import devices
from core.training.evaluate import probabilities
from core.work import facts_of
from prunectl.presets import load_mapping

SUITES = ("digits", "easy", "hard", "mislabelled, long tail")
"""Names of the values of the preset's axis ``data``."""
FRACTIONS = (0.1, 0.2)
DOUBLED = 0.4
"""The largest subset, what 20% costs twice; what lies outside of it is unseen for all."""
AGAIN = 1000
"""Added to the seed of a second full run."""


@dataclass(frozen=True)
class Setup:
    """What is measured and where it lies. ``n``: samples of a generated suite (None: the
    preset's); ``changes``: ``section.key=value`` texts."""

    work: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    suites: tuple[str, ...] = SUITES
    n: int | None = None
    changes: tuple[str, ...] = ()

    def sweep(self, seed: int) -> tuple[Cell, ...]:
        """The preset's cells for one seed."""
        mapping, _ = load_mapping("quality")
        if self.n is not None:
            data = [d | {"n": self.n} if "n" in d else d for d in mapping["sweep"]["axes"]["data"]]
            mapping["sweep"]["axes"]["data"] = data
        fixed = [f"seeds=[{seed}]", "compute.device=cpu", "tracking.enabled=false"]
        return parse_sweep(mapping, [*fixed, *self.changes]).cells()

    def cell_file(self, suite: str, seed: int, fraction: float) -> Path:
        """Where a subset's runs lie."""
        return self.work / "cells" / f"{_slug(suite)}-s{seed}-{fraction:g}.npz"

    def matched(self) -> Setup:
        """The same with scores of a subset read in the epochs that stand for a full run."""
        return replace(self, changes=(*self.changes, "score.until=matched"))

    def matched_file(self, suite: str, seed: int, fraction: float) -> Path:
        """Where the subset's scores of those epochs lie, ``[m, S]``."""
        return self.work / "matched" / f"{_slug(suite)}-s{seed}-{fraction:g}.npy"

    def truth_file(self, suite: str, seed: int, again: bool = False) -> Path:
        """Where the scores of a full run lie."""
        return self.work / "truth" / f"{_slug(suite)}-s{seed}{'-again' if again else ''}.npz"


@dataclass(frozen=True)
class Subset:
    """The runs of one subset of m of N samples, S scores.

    ``ids`` int64 ``[m]`` and their ``scores`` ``[m, S]``; of all samples ``embeddings`` ``[N, d]``
    and class ``probabilities`` ``[N, C]`` of the scoring net, given ``labels`` ``[N]``,
    ``dynamics`` ``[N, F]`` of cross-fitted nets and ``direct`` ``[N, S]``, scores by the subset net
    (None: not run); ``unseen`` ids ``[u]`` that no subset contains; ``costs``: ``passes`` (samples
    shown to a net) and ``flops`` by stage.
    """

    names: tuple[str, ...]
    ids: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    unseen: np.ndarray
    costs: Mapping[str, Mapping[str, int]]
    dynamics: np.ndarray | None = None
    direct: np.ndarray | None = None

    def write(self, file: Path) -> None:
        """As an npz; names and costs as JSON texts."""
        fields = {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        about = {"names": json.dumps(self.names), "costs": json.dumps(self.costs)}
        _write(file, {**fields, **about})

    @classmethod
    def read(cls, file: Path) -> Subset:
        """What :meth:`write` wrote."""
        with np.load(file, allow_pickle=False) as found:
            fields = {key: found[key] for key in found.files}
        names, costs = (json.loads(str(fields.pop(key))) for key in ("names", "costs"))
        return cls(tuple(names), costs=costs, **fields)


class Suite:
    """The preset's graph of one suite and seed, and what its tasks have sealed."""

    def __init__(self, setup: Setup, suite: str, seed: int) -> None:
        by_data: dict[str, list[Cell]] = defaultdict(list)
        for cell in setup.sweep(seed):
            by_data[cell.spec.data.model_dump_json()].append(cell)
        self.cells = dict(zip(SUITES, by_data.values(), strict=True))[suite]
        self.seed, self.setup, self.suite = seed, setup, suite

    @cached_property
    def dataset(self) -> Dataset:
        """The suite's data."""
        return prepare_dataset(self.cells[0].spec.data, default_cache_root())

    @cached_property
    def ctx(self) -> Context:
        """Where tasks are run."""
        compute = devices.resolve(self.cells[0].spec.compute)
        devices.apply(compute)
        facts = facts_of(self.dataset)
        graph = build_graph([(cell.spec, facts) for cell in self.cells])
        store = Store(self.setup.work / "store")
        return Context(graph, self.dataset, store, compute, lambda _: None, lambda: False)

    @property
    def graph(self) -> Graph:
        """All tasks of all cells."""
        return self.ctx.graph

    def cell(self, fraction: float, crossfit: bool = False, name: str = "auto") -> int:
        """Index of the cell with this subset and way to predict."""
        for index, cell in enumerate(self.cells):
            spec = cell.spec
            mixed = "dynamics" in spec.extrapolate.params.get("methods", ())
            if (spec.subset.fraction, spec.extrapolate.name, mixed) == (fraction, name, crossfit):
                return index
        raise LookupError(f"the preset has no {name} of {fraction:g}")

    def spec(self, index: int) -> Spec:
        """A cell's spec."""
        return self.cells[index].spec

    def tasks(self, index: int, *stages: str) -> Iterator[Task]:
        """The cell's tasks of these stages, in the graph's order."""
        yield from (task for task in self.graph.of_cell(index) if task.stage in stages)

    def run(self, index: int, *stages: str) -> list[Task]:
        """Run the cell's tasks of these stages, or find them in the store."""
        found = list(self.tasks(index, *stages))
        for task in found:
            if task.id not in self.ctx.keys:
                run_task(task, self.ctx)
        return found

    def cost(self, *tasks: Task) -> dict[str, int]:
        """Passes and operations that these tasks took."""
        costs = [self.ctx.seal(task.id).cost for task in tasks]
        return {
            "passes": sum(int(cost["sample_passes"]) for cost in costs),
            "flops": sum(int(cost["flops"]) for cost in costs),
        }


@cache
def mixed_methods() -> tuple[str, ...]:
    """What the preset's ``auto`` combines where it reads cross-fitted nets."""
    ways = load_mapping("quality")[0]["sweep"]["axes"]["extrapolate"]
    return next(tuple(w["methods"]) for w in ways if "dynamics" in w.get("methods", ()))


def collect(setup: Setup) -> Iterator[str]:
    """Make what is missing, seed by seed; says what it made."""
    for seed in setup.seeds:
        for suite in setup.suites:
            wanted = [
                f for f in (0.2, 0.1, DOUBLED) if not setup.cell_file(suite, seed, f).exists()
            ]
            truth = setup.truth_file(suite, seed)
            if wanted or not truth.exists():
                runs = Suite(setup, suite, seed)
                _full(runs, truth)
                for fraction in wanted:
                    file = setup.cell_file(suite, seed, fraction)
                    _subset(runs, fraction).write(file)
                    yield file.name
    yield from _matched_scores(setup)
    for seed in setup.seeds:  # last, because all but the reliability can be told without it
        for suite in setup.suites:
            again = setup.truth_file(suite, seed, again=True)
            if not again.exists():
                _full(Suite(replace(setup, seeds=(seed + AGAIN,)), suite, seed + AGAIN), again)
                yield again.name


def _full(runs: Suite, file: Path) -> None:
    """Scores of a run on all data."""
    index = runs.cell(0.2)
    (task,) = runs.run(index, "reference")
    spec = runs.spec(index)
    _write(file, {"full": _values(runs, task, spec), "names": json.dumps(spec.score.names)})


def _matched_scores(setup: Setup) -> Iterator[str]:
    for seed in setup.seeds:
        for suite in setup.suites:
            for fraction in FRACTIONS:
                matched = setup.matched_file(suite, seed, fraction)
                if not matched.exists():
                    _matched(Suite(setup.matched(), suite, seed), fraction, matched)
                    yield f"matched {matched.name}"


def _matched(runs: Suite, fraction: float, file: Path) -> None:
    """The scoring run once more, for the scores of its part that stands for a full run."""
    index = runs.cell(fraction)
    _, score = runs.run(index, "subset", "score")
    out = io.BytesIO()
    np.save(out, _values(runs, score, runs.spec(index)))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, out.getvalue())


def _subset(runs: Suite, fraction: float) -> Subset:
    own = fraction != DOUBLED  # the doubled budget is for the methods that cost half of it
    index, mixed = runs.cell(fraction), runs.cell(fraction, crossfit=True)
    ctx, spec = runs.ctx, runs.spec(index)
    subset, score, embed = runs.run(index, "subset", "score", "embed")
    folds = runs.run(mixed, "crossfit") if own else []
    direct = runs.run(index, "direct") if own else []
    net = train_task.load_net(embed, ctx, ctx.seal(score.id, "net-"))
    costs = {"score": runs.cost(score), "embed": runs.cost(embed)}
    found = Subset(
        spec.score.names,
        np.load(ctx.seal(subset.id).path / "ids.npy"),
        _values(runs, score, spec),
        np.load(ctx.seal(embed.id).path / "embeddings.npy"),
        probabilities(net, ctx.feed("train")),
        np.asarray(ctx.dataset.train.targets),
        _unseen(runs),
        costs,
    )
    if not own:
        return found
    (extrapolation,) = runs.tasks(mixed, "extrapolate")
    raw = np.load(ctx.seal(direct[0].id).path / "raw.npy")
    recorded = ctx.seal(direct[0].id).meta["scores"]
    return replace(
        found,
        dynamics=crossfit.read(extrapolation, ctx),
        direct=raw[:, [recorded.index(name) for name in spec.score.names]],
        costs={**costs, "crossfit": runs.cost(*folds), "direct": runs.cost(*direct)},
    )


def _values(runs: Suite, task: Task, spec: Spec) -> np.ndarray:
    """Scores ``[n, S]`` of a scoring run or reference."""
    seals = [score_seal(runs.ctx, task.id, spec, name) for name in spec.score.names]
    return np.stack([np.load(seal.path / "values.npy") for seal in seals], axis=1)


def _unseen(runs: Suite) -> np.ndarray:
    """Ids outside of the largest subset: the last ones of the permutation all subsets start."""
    (task,) = runs.run(runs.cell(DOUBLED), "subset")
    largest = np.load(runs.ctx.seal(task.id).path / "ids.npy")
    count = len(runs.dataset.train)
    order = generator(runs.seed, "data", "subset").permutation(count)
    if set(order[: len(largest)].tolist()) != set(largest.tolist()):
        raise ValueError("subsets do not nest: they are not the start of one permutation")
    return np.setdiff1d(np.arange(count), largest)


def _write(file: Path, fields: Mapping[str, Any]) -> None:
    out = io.BytesIO()
    np.savez_compressed(out, **fields)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, out.getvalue())


def _slug(suite: str) -> str:
    return suite.replace(", ", "-").replace(" ", "-")
