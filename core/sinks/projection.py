"""What MLflow should show of a run, worked out from its journal and summary alone.

Pure: the same journal gives the same nodes whoever reads it, in whatever pieces, so a shipper that
takes over needs to know only what the server has. Two levels: the node ``run`` (the parent) and
its children, one per retraining (``kind=trial``) and one per scoring run (``kind=score``). Curves
have the epoch as step; an epoch is told when it is over, so a value never changes afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import singledispatchmethod
from typing import Any

from core import events as ev
from core.journal import Record
from core.sinks import names
from core.sinks.conclusion import conclude
from core.sinks.nodes import FAILED, FINISHED, KILLED, PARENT, RUNNING, EpochCurve, Node
from core.sinks.params import NONE, main_score, name_of, own_method, params_of, united

STATUS = {"finished": FINISHED, "failed": FAILED, "stopped": KILLED}
_ALONE = ("",)
"""The cells of a run that is no sweep."""


class Projection:
    """Takes records in order; :attr:`nodes` is what should be on the server."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.ending: ev.RunFinished | None = None
        self.last_ms = 0
        self._specs: dict[str, Mapping[str, Any]] = {}
        self._plan: dict[str, Mapping[str, Any]] = {}
        self._costs: dict[str, Mapping[str, Any]] = {}
        self._heldout: dict[tuple[int, str], tuple[float | None, int]] = {}
        self._task: str | None = None

    @property
    def parent(self) -> Node | None:
        """The node of the run itself, once a worker has begun."""
        return self.nodes.get(PARENT)

    def feed(self, records: Iterable[Record]) -> None:
        """Take in records."""
        for record in records:
            self.last_ms = round(record.ts * 1000)
            self._task = record.task
            self._take(record.event, self.last_ms)

    @singledispatchmethod
    def _take(self, event: ev.Event, ms: int) -> None:
        """Other events say nothing that is tracked."""

    @_take.register
    def _(self, event: ev.RunStarted, ms: int) -> None:
        self.ending = None
        self._specs = {"": event.spec}
        if self.parent is None:
            name, params = event.run, names.flat({**event.spec, "tracking": {}})
            self.nodes[PARENT] = Node(PARENT, name, ms, params, {"kind": "run", "run": event.run})
        self._go_on(_environment(event))

    def _go_on(self, environment: Mapping[str, str]) -> None:
        for node in self.nodes.values():
            node.tags |= environment
            node.fresh = True
        self.nodes[PARENT].tags.pop("reason", None)
        self.nodes[PARENT].go_on()

    @_take.register
    def _(self, event: ev.Plan, ms: int) -> None:
        self._plan = {str(task.get("task")): task for task in event.tasks}

    @_take.register
    def _(self, event: ev.TaskStarted, ms: int) -> None:
        self._began(event.task, ms)

    @_take.register
    def _(self, event: ev.Resumed, ms: int) -> None:
        node = self._began(event.task, ms)
        for curve in node.curves.values() if node else ():
            curve.drop_after(event.step)

    @_take.register
    def _(self, event: ev.Points, ms: int) -> None:
        if event.series.startswith("device/"):
            return
        node = self._began(event.task, ms)
        if node is None:
            return
        key = names.key(event.series)
        if key in node.curves or len(node.curves) + len(node.values) < names.MAX_METRIC_KEYS:
            node.curves.setdefault(key, EpochCurve()).add(event, ms)

    @_take.register
    def _(self, event: ev.Extrapolated, ms: int) -> None:
        for cell in self._cells_of(self._task or "") if event.chosen else ():
            place = (event.seed, cell)
            if place in self._heldout or event.score != main_score(self._spec(cell)):
                continue
            self._heldout[place] = (event.heldout, ms)
            node = self.nodes.get(f"score-s{event.seed}")
            if node is not None and not cell:  # in a sweep several methods may predict its scores
                node.tell("extrapolation/spearman", event.heldout, ms)

    @_take.register
    def _(self, event: ev.TaskFinished, ms: int) -> None:
        self._costs[event.task] = event.cost
        node = self._began(event.task, ms)
        if node is None:
            return
        for key in ("seconds", "sample_passes"):
            node.tell(f"cost/{key}", self._loop(event.task, key), ms)
        node.tell("cost/training_seconds", event.cost.get("seconds"), ms)
        if self._stage(event.task) == "score":
            node.end(FINISHED, ms)

    @_take.register
    def _(self, event: ev.TrialFinished, ms: int) -> None:
        task = self._task or f"retrain-{event.trial}"
        node, cell = self._node_of(task), self._cells_of(task)[0]
        if node is None:
            return
        for name, value in event.metrics.items():
            node.tell(f"final/{name}", value, ms)
        if node.params.get("method") == own_method(self._spec(cell)):
            heldout = self._heldout.get((int(node.params["seed"]), cell))
            if heldout is not None:
                node.tell("extrapolation/spearman", heldout[0], ms)
        node.end(FINISHED, ms)

    @_take.register
    def _(self, event: ev.TaskFailed, ms: int) -> None:
        node = self._node_of(event.task)
        if node is not None:
            node.tags |= {"reason": event.kind, "what": names.text_of(event.what, names.MAX_TAG)}
            node.end(FAILED, ms)

    @_take.register
    def _(self, event: ev.RunFinished, ms: int) -> None:
        self.ending = event
        self._end(STATUS.get(event.status, FAILED), event.reason, ms)

    def worker_died(self) -> None:
        """The worker is gone without a last word: what was open has failed."""
        if self.ending is None:
            self._end(FAILED, "worker gone", self.last_ms)

    def _end(self, status: str, reason: str | None, ms: int) -> None:
        for node in self.nodes.values():
            if node.status == RUNNING:
                node.end(status, ms)
                node.tags |= {"reason": reason} if reason else {}

    def conclude(
        self, summary: Mapping[str, Any], kept_digest: Callable[[str], str | None]
    ) -> None:
        """Add what only ``summary.json`` knows: the datasets, and once finished the savings.

        ``kept_digest`` gives the SHA-256 of a trial's kept ids (by their path in the run folder).
        """
        conclude(self.nodes, self._spec(""), summary, self.last_ms, kept_digest)
        for node in self.nodes.values():
            node.fresh = True

    def _began(self, task: str, ms: int) -> Node | None:
        node = self._node_of(task)
        if node is None:
            return self._new_child(task, ms)
        node.fresh = True
        if node.status not in (RUNNING, FINISHED):
            node.go_on()
            node.tags.pop("reason", None)
        return node

    def _node_of(self, task: str) -> Node | None:
        return self.nodes.get(_child_id(task, self._plan.get(task, {})))

    def _new_child(self, task: str, ms: int) -> Node | None:
        about = self._plan.get(task, {})
        child = _child_id(task, about)
        if not child or PARENT not in self.nodes:
            return None
        kind = "score" if about.get("stage") == "score" else "trial"
        trial, seed = str(about.get("trial")), int(about.get("seed", 0))
        cells = self._cells_of(task)
        params = united([params_of(self._spec(cell), kind, trial, seed) for cell in cells])
        tags = {**self.nodes[PARENT].tags, "kind": kind, "task": task}
        node = Node(child, name_of(kind, params), ms, params, tags)
        if kind == "trial":
            node.tags["trial"] = trial
            node.tell("prune/rate", float(params["prune_rate"]), ms)
        if params["subset_fraction"] != NONE:
            node.tell("subset/fraction", float(params["subset_fraction"]), ms)
        self.nodes[child] = node
        return node

    def _spec(self, cell: str) -> Mapping[str, Any]:
        return self._specs.get(cell, {})

    def _cells_of(self, task: str) -> tuple[str, ...]:
        return tuple(self._plan.get(task, {}).get("cells") or _ALONE)

    def _stage(self, task: str) -> Any:
        return self._plan.get(task, {}).get("stage")

    def _loop(self, task: str, what: str) -> float | None:
        """Seconds or passes of a task and of everything it needs, as the ledger charges it."""
        wanted, seen = [task], set()
        total = 0.0
        while wanted:
            one = wanted.pop()
            if one in seen:
                continue
            seen.add(one)
            value = self._costs.get(one, {}).get(what)
            if value is None:
                return None
            total += float(value)
            wanted += list(self._plan.get(one, {}).get("needs", ()))
        return total


def _environment(event: ev.RunStarted) -> dict[str, str]:
    tags = {"host": event.host, "device": event.device, "threads": str(event.threads)}
    tags |= {"precision": event.precision}
    return tags | environment(event.versions)


def environment(versions: Mapping[str, str]) -> dict[str, str]:
    """Versions and the commit as tags."""
    tags = {f"version.{names.key(k)}": str(v) for k, v in versions.items()}
    commit = versions.get("git")
    return tags | ({"mlflow.source.git.commit": str(commit)} if commit else {})


def _child_id(task: str, about: Mapping[str, Any]) -> str:
    """The trial's id, which several cells of a sweep may have for different retrainings: then the
    task's, which is the trial's with an ending. Empty for a task that is no child."""
    if about.get("stage") == "retrain":
        return task.removeprefix("retrain-")
    return task if about.get("stage") == "score" else ""
