"""What a report is made of: the run's small files, and its prepared data where that still is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.artifacts import dataset_of, read_kept, read_predictions, read_scores
from core.data.bank import Dataset
from core.errors import PrunectlError, UserError
from core.events import Points, Resumed
from core.export import descending_ranks
from core.journal import read
from core.replay import CompactSeries, Curves, add_points, drop_after
from core.runs import Run
from core.spec import Spec
from core.spec_load import parse_spec, read_yaml
from core.units import digest

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """One run, read as its sections ask for it."""

    run: Run
    summary: Row
    spec: Spec
    dataset: Dataset | None
    why_no_data: str

    @property
    def method(self) -> str:
        """The run's own method."""
        return self.spec.extrapolate.name if not self.trials else str(self.trials[0]["method"])

    @property
    def score(self) -> str:
        """The score that is pruned by."""
        return self.spec.score.name

    @property
    def trials(self) -> list[Row]:
        """All retrainings, finished or not."""
        return list(self.summary.get("trials") or ())

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics there are, test accuracy first."""
        named = dict.fromkeys(str(r["metric"]) for r in self.summary.get("tradeoff") or ())
        return sorted(named, key=lambda name: name != "test_accuracy")

    @property
    def methods(self) -> list[str]:
        """Methods with a result, the run's own first; their place is their style in charts."""
        named = [str(r["method"]) for r in self.summary.get("tradeoff") or ()]
        return list(dict.fromkeys([self.method, *named]))

    def rates(self, method: str) -> list[float]:
        """The method's rates with a finished retraining or a kept set, rising."""
        done = [t for t in self.trials if t["metrics"] or t.get("kept_path")]
        return sorted({float(t["rate"]) for t in done if t["method"] == method})

    def of(self, method: str, rate: float) -> list[Row]:
        """The method's trials at a rate, one a seed."""
        found = [t for t in self.trials if t["method"] == method]
        return [t for t in found if f"{t['rate']:.4f}" == f"{rate:.4f}"]

    def by_seed(self, method: str, rate: float, metric: str) -> dict[int, float]:
        """A metric of the method's finished trials by seed."""
        return {
            int(t["seed"]): float(t["metrics"][metric])
            for t in self.of(method, rate)
            if metric in t["metrics"]
        }

    def class_name(self, label: int) -> str:
        """A class's name, its number where the names are not at hand."""
        if label < 0:
            return "without a label"
        return self.dataset.classes[label] if self.dataset is not None else f"class {label}"

    @cached_property
    def tables(self) -> dict[int, dict[str, NDArray[Any]]]:
        """Score tables by seed, of the seeds that have one."""
        files = self.run.path / "scores"
        seeds = [s for s in self.summary["seeds"] if (files / f"seed-{s}.parquet").is_file()]
        return {seed: read_scores(self.run, seed, without=("path",)) for seed in seeds}

    @cached_property
    def mean_rank(self) -> NDArray[np.float64] | None:
        """Mean over seeds of the rank by the score ``[N]``, 1 the most important; None without."""
        columns = [t[self.score] for t in self.tables.values() if self.score in t]
        sign = 1.0 if self.keeps_high else -1.0
        if not columns:
            return None
        ranks: NDArray[np.float64] = np.mean([descending_ranks(sign * c) for c in columns], axis=0)
        return ranks

    @cached_property
    def keeps_high(self) -> bool:
        """Whether high scores are kept."""
        try:
            return registry.describe("score", self.score).constants.get("DIRECTION") != "low"
        except UserError:  # a plug-in that is not installed here
            return True

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        """Labels of the training samples ``[N]``."""
        table = next(iter(self.tables.values()), None)
        if table is not None:
            return np.asarray(table["label"], dtype=np.int64)
        return None if self.dataset is None else np.asarray(self.dataset.train.targets)

    @cached_property
    def curves(self) -> Curves:
        """Curves by task and series."""
        curves: Curves = {}
        for record in read(self.run.journal):
            if isinstance(record.event, Points):
                add_points(curves, record.event, CompactSeries)
            elif isinstance(record.event, Resumed):
                drop_after(curves, record.event)
        return curves

    def kept(self, trial: Row) -> NDArray[np.int64] | None:
        """Ids a trial kept, None where it has no set."""
        return read_kept(self.run, str(trial["id"])) if trial.get("kept_path") else None

    def predictions(self, trial: Row) -> NDArray[np.int32] | None:
        """Predicted classes of the test samples, None where there are none."""
        try:
            return read_predictions(self.run, str(trial["id"]))
        except PrunectlError:
            return None


def facts_of(run: Run, opened: dict[str, tuple[Dataset | None, str]] | None = None) -> Facts:
    """The facts of a run. UserError when it has no results yet. ``opened``: datasets that other
    runs have opened, each of which is looked through once."""
    summary = run.summary()
    if summary is None:
        raise UserError(f"{run.id} has no results yet ({run.state().shown})", "wait until it has")
    spec = parse_spec(read_yaml(run.spec_file), str(run.spec_file))
    opened = {} if opened is None else opened
    key = digest([spec.data.model_dump(mode="json"), summary["data"]["fingerprint"]])
    if key not in opened:
        opened[key] = dataset_of(run, spec.data)
    dataset, why = opened[key]
    return Facts(run, summary, spec, dataset, why)
