"""What a stage is, and the context it works in.

A stage names the store entries a task would seal (with keys made of everything they depend on)
and produces the missing ones. It never looks at other runs, never decides whether to reuse, and
branches on no paradigm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core import events as ev
from core import registry
from core.data.bank import Dataset, targets_digest
from core.errors import Stopped
from core.models.build import identity
from core.plan.tasks import Graph, Task
from core.spec import Spec
from core.store import Seal, Store, make_key
from core.training.devices import Compute
from core.training.feed import Feed
from core.training.memory import PeakMemory
from core.units import digest

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Entry:
    """One store entry of a task: its key and the parts the key hashes."""

    stage: str
    parts: Mapping[str, Any]

    @property
    def key(self) -> str:
        return make_key(self.stage, self.parts)


class Stage(Protocol):
    """A stage module."""

    def entries(self, task: Task, ctx: Context) -> list[Entry]:
        """What the task seals, the entry that stands for it first. Its needs are sealed."""

    def produce(self, task: Task, ctx: Context, missing: list[Entry]) -> None:
        """Compute and seal the missing entries."""


@dataclass
class Context:
    """Everything a stage may use."""

    graph: Graph
    dataset: Dataset
    store: Store
    compute: Compute
    emit: Callable[[ev.Event], None]
    stop_requested: Callable[[], bool]
    keys: dict[str, list[str]] = field(default_factory=dict)
    """Store keys of the finished tasks, by task id."""
    made: set[str] = field(default_factory=set)
    """Keys this process has computed."""
    started_before: frozenset[str] = frozenset()
    """Tasks this run's journal already shows as started."""
    told_in_part: frozenset[str] = frozenset()
    """Tasks of which the journal may lack words that were on their way when a process died: their
    curve is told again from the start."""
    on_wait: Callable[[Task, Mapping[str, Any]], None] | None = None
    """Called when another process is computing what a task wants; it may raise to go elsewhere."""
    as_given: Dataset | None = None
    """The data without labels that were added to this run later; None: there are none."""
    _feeds: dict[str, Feed] = field(default_factory=dict)

    @property
    def source(self) -> Dataset:
        """What is scored and chosen from: labels added later change no score and no choice."""
        return self.dataset if self.as_given is None else self.as_given

    def spec(self, task: Task) -> Spec:
        """The spec that describes the task."""
        return self.graph.spec_of(task)

    def seal(self, task_id: str, prefix: str = "") -> Seal:
        """The sealed output of a finished task; ``prefix`` chooses among several."""
        key = next(k for k in self.keys[task_id] if k.startswith(prefix))
        return self.store.require(key)

    def cost(self, task_id: str) -> Mapping[str, Any]:
        """What a finished task took when it was first made. Of a scoring run, that of its dearest
        score: one that was asked for later repeated the training, and may have been shown more."""
        first, *others = self.keys[task_id]
        keys = others if first.startswith("net-") and others else [first]
        costs = [self.store.require(key).cost for key in keys]
        return max(costs, key=lambda cost: int(cost["sample_passes"]))

    def need(self, task: Task, stage: str) -> str:
        """Id of the needed task of that stage."""
        return next(n for n in task.needs if self.graph[n].stage == stage)

    def has_need(self, task: Task, stage: str) -> bool:
        """Whether the task needs one of that stage."""
        return any(self.graph[n].stage == stage for n in task.needs)

    def check(self) -> None:
        """Raise Stopped when a stop was asked for. For places without a checkpoint to write."""
        if self.stop_requested():
            raise Stopped("stopped")

    def feed(self, part: str) -> Feed:
        """The train, test or validation samples on the device; made once."""
        if part not in self._feeds:
            self._feeds[part] = Feed(self.dataset.parts()[part], self.compute)
        return self._feeds[part]

    def subset_ids(self, task: Task) -> Ids:
        """Ids of the scored subset of the task's seed, sorted."""
        ids: Ids = load(self.seal(self.need(task, "subset")).path / "ids.npy")
        return ids

    def net_parts(
        self, task: Task, role: str, ids: Ids, recipe: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What a training depends on: the same words for scoring runs, references, retrainings."""
        spec = self.spec(task)
        train, test = self.dataset.train, self.dataset.test
        by_source = recipe.get("generated_fraction") is not None or recipe.get("epoch") == "real"
        source = train.source if by_source else None
        return {
            "inputs": train.fingerprint,
            "classes": len(self.dataset.classes),
            "ids": array_digest(ids),
            "targets": targets_digest(train, ids),
            "test": [test.fingerprint, targets_digest(test, np.arange(len(test), dtype=np.int64))],
            "model": identity(spec.model),
            "paradigm": [
                registry.describe("paradigm", spec.paradigm.name).version,
                plain(spec.paradigm),
            ],
            "recipe": dict(recipe),
            **({} if source is None else {"source": array_digest(np.asarray(source))}),
            "role": role,
            "seed": task.seed,
            "precision": self.compute.precision,
            "deterministic": self.compute.deterministic,
        }


def plain(section: Any) -> dict[str, Any]:
    """A spec section as a JSON-able mapping."""
    mapping: dict[str, Any] = section.model_dump(mode="json", by_alias=True)
    return mapping


def load(path: Path) -> Any:
    """A small array from a sealed file; pickled objects are refused."""
    return np.load(path, allow_pickle=False)


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256 of an array's type, shape and bytes."""
    contiguous = np.ascontiguousarray(array)
    return digest([contiguous.dtype.str, contiguous.shape, contiguous.tobytes().hex()])


@dataclass
class Meter:
    """Filled in by :func:`metered`."""

    seconds: float = 0.0
    peak_memory_bytes: int = 0

    def cost(self, passes: int = 0, flops: int = 0) -> dict[str, Any]:
        """A ledger row's cost."""
        return {
            "seconds": self.seconds,
            "sample_passes": passes,
            "flops": flops,
            "peak_memory_bytes": self.peak_memory_bytes,
        }


@contextmanager
def metered(ctx: Context) -> Iterator[Meter]:
    """Measure wall-clock seconds and peak memory of a block."""
    meter = Meter()
    start = time.perf_counter()
    with PeakMemory(ctx.compute.device) as peak:
        yield meter
        meter.seconds = time.perf_counter() - start
    meter.peak_memory_bytes = peak.bytes
