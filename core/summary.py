"""The result of a run: ``summary.json``, and copies of the small artifacts in the run folder.

Everything is recomputed from sealed outputs, so it can be written at any moment: after every seed,
at the end, after a stop. Undefined is null, never NaN.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.agreement import held_out, of_generated
from core.cost import Ledger
from core.data.bank import Dataset
from core.data.truth import kept_truth
from core.files import write_json
from core.metrics import (
    coverage80,
    kept_recall,
    pearson,
    spearman,
    subset_share,
)
from core.needs import SAMPLERS, direction, score_kind
from core.plan.tasks import Task
from core.plan.trials import Trial, subset_size, trials
from core.runs import REPORT, Run
from core.sinks import target
from core.spec import Spec
from core.stages import measure
from core.stages.base import Context, load
from core.stages.score import ends, oriented, score_seal, subset_scores
from core.stats import paired, summarise

SCHEMA = 1
Scores = NDArray[np.float32]


@dataclass
class Summary:
    """Collects what a run has produced so far and writes it into its folder."""

    ctx: Context
    run: Run
    versions: Mapping[str, str]
    reused: dict[str, bool] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        """The run's spec."""
        return self.ctx.graph.specs[0]

    def task_done(self, task: Task, reused: bool) -> None:
        """Copy what the task has for the run folder."""
        self.reused[task.id] = reused
        if task.trial is None:
            return
        seal = self.ctx.seal(task.id)
        if task.stage == "prune":
            self._copy(seal.path / "kept.npy", f"kept/{task.trial.id}.npy")
        elif task.stage == "retrain":
            self._copy(seal.path / "predictions.npy", f"predictions/{task.trial.id}.npy")
            if self.spec.compute.keep_models == "all":
                self._copy(seal.path / "weights.pt", f"models/{task.trial.id}.pt")

    def write(self, status: str, reason: str | None) -> None:
        """Write ``summary.json``, ``refs.json`` and the scores of finished seeds."""
        keys = sorted({key for keys in self.ctx.keys.values() for key in keys})
        write_json(self.run.path / "refs.json", {"schema": SCHEMA, "keys": keys})
        write_json(self.run.summary_file, self.to_dict(status, reason))

    def to_dict(self, status: str, reason: str | None) -> dict[str, Any]:
        """The summary."""
        spec, facts = self.spec, self.ctx.graph.facts[0]
        rows = [self._trial_row(t) for seed in spec.seeds for t in trials(spec, facts, seed)]
        size = subset_size(spec, facts)
        return {
            "schema": SCHEMA, "run": self.run.id, "name": spec.name, "status": status,
            "reason": reason, "seeds": list(spec.seeds), "versions": dict(self.versions),
            "data": {
                "name": spec.data.name, "n_train": facts.n_train, "n_test": facts.n_test,
                "classes": facts.classes, "fingerprint": facts.fingerprint,
            },
            "subset": {"n": size, "fraction": size / facts.n_train},
            "scores": score_rows(spec),
            "extrapolation": self._extrapolation(),
            "trials": rows,
            "tradeoff": tradeoff(rows),
            "cost": Ledger(self.ctx.graph, self._cost_rows()).to_dict(),
            "artifacts": {
                "scores": self._scores(), "models": self._models(), "report": self._report(),
            },
            "mlflow": target.block(self.run),
        }  # fmt: skip

    def _done(self, task_id: str) -> bool:
        return task_id in self.ctx.keys

    def _trial_row(self, trial: Trial) -> dict[str, Any]:
        retrain, prune = f"retrain-{trial.id}", f"prune-{trial.id}"
        uses_score = trial.method not in ("random", "full", *SAMPLERS)
        row: dict[str, Any] = {
            "id": trial.id, "seed": trial.seed, "method": trial.method,
            "score": self.spec.score.name if uses_score else None, "policy": trial.policy,
            "rate": trial.rate, "n_kept": trial.n_keep, "subset_share": None, "kept_path": None,
            "status": "pending", "metrics": {}, "seconds": None, "sample_passes": None,
            "steps": None, "truth": None,
        }  # fmt: skip
        if self._done(prune):
            kept = load(self.ctx.seal(prune).path / "kept.npy")
            if self._done(f"subset-s{trial.seed}"):
                ids = load(self.ctx.seal(f"subset-s{trial.seed}").path / "ids.npy")
                row["subset_share"] = subset_share(kept, ids)
            row["kept_path"] = f"kept/{trial.id}.npy"
            row["truth"] = kept_truth(self.ctx.dataset.train.truth, kept)
        if self._done(retrain):
            seal = self.ctx.seal(retrain)
            row |= {
                "status": "finished", "metrics": dict(seal.meta["metrics"]),
                "seconds": seal.cost["seconds"], "sample_passes": seal.cost["sample_passes"],
                "steps": seal.meta["steps"],
            }  # fmt: skip
        return row

    def _cost_rows(self) -> dict[str, dict[str, Any]]:
        rows = {}
        for task in self.ctx.graph.tasks:
            if self._done(task.id):
                rows[task.id] = {
                    "task": task.id, "stage": task.stage, "seed": task.seed,
                    "trial": task.trial.id if task.trial else None,
                    **self.ctx.cost(task.id), "reused": self.reused[task.id],
                }  # fmt: skip
        return rows

    def _extrapolation(self) -> list[dict[str, Any]]:
        names = self.spec.score.names
        return [
            self._agreement(seed, column, name)
            for seed in self.spec.seeds
            if self._done(f"extrapolate-s{seed}")
            for column, name in enumerate(names)
        ]

    def _agreement(self, seed: int, column: int, name: str) -> dict[str, Any]:
        seal = self.ctx.seal(f"extrapolate-s{seed}")
        predicted = load(seal.path / "predicted.npy")[:, column]
        heldout = dict(seal.meta["heldout"])
        if column:  # the seal has the figures of the first score only
            fold = load(seal.path / "fold.npy")
            heldout = held_out(predicted[fold], self._measured(seed, name)[fold], seed)
        return {
            "seed": seed, "method": self.spec.extrapolate.name, "score": name,
            "chosen": seal.meta["chosen"], "heldout": heldout,
            "reference": self._against_reference(seed, name, predicted),
            "crossfit": self._cross_fitted(seed, column, name),
            "coverage80": self._coverage(seed, column, name, predicted),
            "generated": self._of_generated(seed, name, predicted),
            "until": ends(self.ctx, self.ctx.graph[f"extrapolate-s{seed}"], name) or None,
        }  # fmt: skip

    def _of_generated(self, seed: int, name: str, predicted: Scores) -> dict[str, Any] | None:
        source = self.ctx.dataset.train.source
        if source is None:
            return None
        fold = load(self.ctx.seal(f"extrapolate-s{seed}").path / "fold.npy")
        measured, full = self._measured(seed, name), self._full(seed, name)
        return of_generated(np.asarray(source), predicted, measured, full, fold, seed)

    def _cross_fitted(self, seed: int, column: int, name: str) -> dict[str, Any] | None:
        """Agreement on the held-out fold of what nets predict that did not train on it."""
        seal = self.ctx.seal(f"extrapolate-s{seed}")
        if not (seal.path / "crossfit.npy").exists():
            return None
        fold = load(seal.path / "fold.npy")
        predicted = load(seal.path / "crossfit.npy")[:, column]
        return held_out(predicted, self._measured(seed, name)[fold], seed)

    def _coverage(self, seed: int, column: int, name: str, predicted: Scores) -> float | None:
        """Of the 80% interval, on the held-out fold, by the subset's own scores."""
        seal = self.ctx.seal(f"extrapolate-s{seed}")
        fold = load(seal.path / "fold.npy")
        std = load(seal.path / "std.npy")[fold, column]
        return coverage80(predicted[fold], std, self._measured(seed, name)[fold])

    def _measured(self, seed: int, name: str) -> Scores:
        """Measured scores by sample id, NaN where a sample was not scored."""
        task = self.ctx.graph[f"extrapolate-s{seed}"]
        values = np.full(len(self.ctx.dataset.train), np.nan, dtype=np.float32)
        values[self.ctx.subset_ids(task)] = subset_scores(self.ctx, task, name)
        return values

    def _full(self, seed: int, name: str) -> Scores | None:
        """Full scores by sample id, None without a finished reference."""
        if not self._done(f"reference-s{seed}"):
            return None
        values: Scores = load(
            score_seal(self.ctx, f"reference-s{seed}", self.spec, name).path / "values.npy"
        )
        return values

    def _against_reference(self, seed: int, name: str, predicted: Scores) -> dict[str, Any] | None:
        full = self._full(seed, name)
        if full is None:
            return None
        measured = self._measured(seed, name)
        scored = ~np.isnan(measured)
        others = [self._full(s, name) for s in self.spec.seeds if s != seed]
        pairs = [r for o in others if o is not None and (r := spearman(full, o)) is not None]
        return {
            "spearman": spearman(predicted[~scored], full[~scored]),
            "pearson": pearson(predicted[~scored], full[~scored]),
            "ceiling_spearman": spearman(measured[scored], full[scored]),
            "reliability_spearman": float(np.mean(pairs)) if pairs else None,
            "kept_recall": self._recall(seed, name, full),
        }

    def _recall(self, seed: int, name: str, full: Scores) -> list[dict[str, Any]]:
        important = oriented(score_seal(self.ctx, f"reference-s{seed}", self.spec, name), full)
        found = []
        for trial in trials(self.spec, self.ctx.graph.facts[0], seed):
            task = f"prune-{trial.id}"
            if trial.method == self.spec.extrapolate.name and self._done(task):
                kept = load(self.ctx.seal(task).path / "kept.npy")
                found.append({"rate": trial.rate, "value": kept_recall(kept, important)})
        return found

    def _scores(self) -> list[dict[str, Any]]:
        found = []
        for seed in self.spec.seeds:
            if self._done(f"extrapolate-s{seed}") or self._done(f"measure-s{seed}"):
                path = self.run.path / "scores" / f"seed-{seed}.parquet"
                path.parent.mkdir(exist_ok=True)
                self._write_table(seed, path)
                found.append({"seed": seed, "path": f"scores/{path.name}"})
        return found

    def _write_table(self, seed: int, path: Path) -> None:
        measured = self._done(f"measure-s{seed}")
        columns = self._measured_columns(seed) if measured else self._predicted_columns(seed)
        temporary = path.with_suffix(".tmp")
        pq.write_table(pa.table(columns), temporary)
        temporary.replace(path)

    def _measured_columns(self, seed: int) -> dict[str, pa.Array]:
        """Where every sample has a score: no predictions, and nothing is held out."""
        everyone = np.arange(len(self.ctx.dataset.train), dtype=np.int64)
        columns = sample_columns(self.ctx.dataset, everyone, everyone[:0])
        for name in self.spec.score.names:
            columns[name] = pa.array(measure.read(self.ctx, f"measure-s{seed}", self.spec, name))
            for suffix in ("predicted", "std"):
                columns[f"{name}_{suffix}"] = pa.nulls(len(everyone), pa.float32())
        return columns

    def _predicted_columns(self, seed: int) -> dict[str, pa.Array]:
        seal = self.ctx.seal(f"extrapolate-s{seed}")
        arrays = {n: load(seal.path / f"{n}.npy") for n in ("predicted", "std", "scores", "fold")}
        subset = load(self.ctx.seal(f"subset-s{seed}").path / "ids.npy")
        columns = sample_columns(self.ctx.dataset, subset, arrays["fold"])
        for column, name in enumerate(self.spec.score.names):
            columns[name] = pa.array(arrays["scores"][:, column])
            for suffix, array in (("predicted", arrays["predicted"]), ("std", arrays["std"])):
                values = array[:, column]
                columns[f"{name}_{suffix}"] = pa.array(values, mask=np.isnan(values))
            full = self._full(seed, name)
            if full is not None:
                columns[f"{name}_full"] = pa.array(full)
        return columns

    def _models(self) -> list[dict[str, Any]]:
        keep, found = self.spec.compute.keep_models, []
        if keep != "none":
            for seed in self.spec.seeds:
                for task in self.ctx.graph.tasks:
                    if task.stage == "score" and task.seed == seed and self._done(task.id):
                        weights = self.ctx.seal(task.id, "net-").path / "weights.pt"
                        which = f"-net{task.net}" if task.net else ""
                        found.append(self._model(weights, f"s{seed}-scoring{which}"))
        if keep == "all":
            for task in self.ctx.graph.tasks:
                if task.stage == "retrain" and task.trial and self._done(task.id):
                    found.append(
                        self._model(self.ctx.seal(task.id).path / "weights.pt", task.trial.id)
                    )
        return found

    def _report(self) -> str | None:
        """The report, where there is one from an earlier end of this run."""
        return REPORT if (self.run.path / REPORT).is_file() else None

    def _model(self, weights: Path, name: str) -> dict[str, Any]:
        self._copy(weights, f"models/{name}.pt")
        return {"trial": name, "path": f"models/{name}.pt"}

    def _copy(self, source: Path, relative: str) -> None:
        target = self.run.path / relative
        target.parent.mkdir(exist_ok=True)
        if not target.exists() or target.stat().st_size != source.stat().st_size:
            temporary = target.with_name(f".{target.name}.tmp")
            shutil.copyfile(source, temporary)
            temporary.replace(target)


def score_rows(spec: Spec) -> list[dict[str, Any]]:
    """Each score, the one that is pruned by first, and the recipe it was made under."""
    kinds = {name: score_kind(name) for name in spec.score.names}
    return [
        {
            "name": s.name, "kind": kinds[s.name], "direction": direction(s.name),
            "extrapolated": kinds[s.name] == "trained", "preset": s.preset, "record": s.record,
            "window": s.window.model_dump() if s.window else None, "options": s.params,
            "nets": spec.score.nets if kinds[s.name] == "trained" else None,
        }
        for s in (spec.score, *spec.score.also)
    ]  # fmt: skip


def sample_columns(
    dataset: Dataset, subset: NDArray[np.int64], fold: NDArray[np.int64]
) -> dict[str, pa.Array]:
    """The columns of the score table that say what a sample is."""
    count = len(dataset.train)
    scored, heldout = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    scored[subset], heldout[fold] = True, True
    path = dataset.train.path
    return {
        "id": pa.array(np.arange(count, dtype=np.int64)),
        "path": pa.array(list(path) if path is not None else [None] * count, pa.string()),
        "source": pa.array(np.where(scored, "scored", "extrapolated")),
        "label": pa.array(np.asarray(dataset.train.targets)),
        "heldout": pa.array(heldout),
    }


def tradeoff(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean, std and n of every metric by (method, policy, rate), and the paired difference to
    ``random`` at the same rate."""
    groups: dict[tuple[str, str | None, float, str], dict[int, float]] = defaultdict(dict)
    for row in rows:
        for metric, value in row["metrics"].items():
            groups[row["method"], row["policy"], row["rate"], metric][row["seed"]] = value
    random = {(k[2], k[3]): v for k, v in groups.items() if k[0] == "random"}
    found = []
    for (method, policy, rate, metric), values in groups.items():
        about = summarise(list(values.values()))
        against = None
        if method != "random" and (rate, metric) in random:
            difference = paired(values, random[rate, metric])
            if difference is not None:
                against = {
                    "mean": difference.mean, "ci_low": difference.ci_low,
                    "ci_high": difference.ci_high,
                }  # fmt: skip
        found.append(
            {
                "method": method, "policy": policy, "rate": rate, "metric": metric,
                "mean": about.mean, "std": about.std, "n": about.n, "vs_random": against,
            }
        )  # fmt: skip
    return found
