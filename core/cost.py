"""The ledger: what every method really costs, against training on everything.

A method is charged with its retraining and with all that its retraining needs, however deep: the
graph says what that is, so no baseline, reference or evaluation enters another method's loop. A
reused stage counts what it cost when it was first made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from core.mixing import retraining_budget
from core.plan.passes import retrain_passes
from core.plan.tasks import Graph, Task

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Ledger:
    """Stage rows by task id, over one graph.

    A row is {task, stage, seed, trial, seconds, sample_passes, flops, peak_memory_bytes, reused}.
    """

    graph: Graph
    rows: Mapping[str, Row]

    def to_dict(self) -> dict[str, Any]:
        """The ``cost`` section of ``summary.json``."""
        full, measured = self.full_seconds()
        return {
            "budget": retraining_budget(self.graph.specs[0]),
            "stages": [dict(self.rows[t.id]) for t in self.graph.tasks if t.id in self.rows],
            "by_rate": self.by_rate(full),
            "full_training_seconds": full,
            "full_measured": measured,
            "break_even_rate": self.break_even(full),
        }

    def full_seconds(self) -> tuple[float | None, bool]:
        """Mean training seconds on all data, and whether they were measured: else full passes times
        the seconds a retraining's pass took."""
        full = [self.rows[t.id]["seconds"] for t in self._retrainings("full")]
        if full:
            return fmean(full), True
        done = self._retrainings(None)
        passes = sum(self.rows[t.id]["sample_passes"] for t in done)
        if not passes:
            return None, False
        per_pass = sum(self.rows[t.id]["seconds"] for t in done) / passes
        return per_pass * self._full_passes(), False

    def by_rate(self, full: float | None) -> list[dict[str, Any]]:
        """Loop seconds and savings of every (method, policy, rate), means over seeds."""
        grouped: dict[tuple[str, str | None, float], list[Task]] = defaultdict(list)
        for task in self._retrainings(None):
            assert task.trial is not None
            grouped[task.trial.method, task.trial.policy, task.trial.rate].append(task)
        found = []
        for (method, policy, rate), tasks in grouped.items():
            seconds = fmean(self.loop(t, "seconds") for t in tasks)
            passes = fmean(self.loop(t, "sample_passes") for t in tasks)
            found.append(
                {
                    "method": method, "policy": policy, "rate": rate, "loop_seconds": seconds,
                    "loop_passes": passes, "saving": 1 - seconds / full if full else None,
                    "saving_passes": 1 - passes / self._full_passes(),
                }
            )  # fmt: skip
        return found

    def break_even(self, full: float | None) -> float | None:
        """The rate above which the spec's method is cheaper than full training:
        (loop - retraining) / full. Above 1 it never is."""
        tasks = self._retrainings(self.graph.specs[0].extrapolate.name)
        if not tasks or not full:
            return None
        return fmean(self.loop(t, "seconds") - self.rows[t.id]["seconds"] for t in tasks) / full

    def loop(self, task: Task, what: str) -> float:
        """``seconds`` or ``sample_passes`` of a retraining and everything it needs."""
        return float(sum(self.rows[i][what] for i in self.closure(task)))

    def closure(self, task: Task) -> set[str]:
        """Ids of the task and of all it needs, directly or not. A retraining that takes as long as
        another needs that one as a yardstick, and does not pay for it."""
        found = {task.id}
        for need in task.needs:
            if self.graph[need].stage != "retrain":
                found |= self.closure(self.graph[need])
        return found

    def _retrainings(self, method: str | None) -> list[Task]:
        return [
            t
            for t in self.graph.tasks
            if t.stage == "retrain" and t.trial is not None
            and (method is None or t.trial.method == method)
            and all(i in self.rows for i in self.closure(t))
        ]  # fmt: skip

    def _full_passes(self) -> int:
        spec, facts = self.graph.specs[0], self.graph.facts[0]
        return retrain_passes(spec, facts, facts.n_train)


def predicted_rows(graph: Graph, seconds_per_pass: Mapping[str, float]) -> dict[str, Row]:
    """Stage rows before anything ran: exact passes, seconds from ``seconds_per_pass`` of
    "train" (with backward), "forward" and, where another net embeds, "embed"."""
    return {
        t.id: {
            "task": t.id, "stage": t.stage, "seed": t.seed,
            "trial": t.trial.id if t.trial else None, "seconds": _predicted(t, seconds_per_pass),
            "sample_passes": t.passes, "flops": None, "peak_memory_bytes": None, "reused": False,
        }
        for t in graph.tasks
    }  # fmt: skip


def _predicted(task: Task, seconds_per_pass: Mapping[str, float]) -> float:
    if task.stage == "embed":
        return task.passes * seconds_per_pass.get("embed", seconds_per_pass["forward"])
    trained = task.passes - task.extra_passes
    return trained * seconds_per_pass["train"] + task.extra_passes * seconds_per_pass["forward"]
