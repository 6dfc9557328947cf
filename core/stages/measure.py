"""Give every sample a score without watching it train: there is nothing to extrapolate.

``embedded`` scores are made of the embeddings of all samples, ``given`` ones need no net. Seals one
``measure-<key>`` per score (``values.npy`` float32 ``[N]``, by sample id).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import events as ev
from core import registry
from core.data.bank import targets_digest
from core.errors import UserError
from core.needs import score_kind
from core.plan.digests import wanted_scores
from core.plan.tasks import Task
from core.rng import generator
from core.spec import AlsoSpec, Spec
from core.stages.base import Context, Entry, load, metered
from core.store import Seal


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry a score, the one that is pruned by first."""
    return [_entry(task.id, ctx, section["name"]) for section in wanted_scores(ctx.spec(task))]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Compute and seal."""
    wanted = {entry.key: entry for entry in missing}
    spec = ctx.spec(task)
    text = f"{', '.join(spec.score.names)}: known of every sample, so nothing is extrapolated"
    ctx.emit(ev.Message("info", text))
    found: list[tuple[Entry, str, NDArray[np.float32]]] = []
    with metered(ctx) as meter:
        for section in _sections(spec):
            entry = _entry(task.id, ctx, section.name)
            if entry.key in wanted:
                ctx.check()
                found.append((entry, section.name, _checked(section, task, ctx)))
    for entry, name, values in found:
        with ctx.store.writing(entry.key) as out:
            np.save(out.path / "values.npy", values)
            out.parts.update(entry.parts)
            out.cost.update(meter.cost())
            out.meta["name"] = name


def seal_of(ctx: Context, task_id: str, spec: Spec, name: str) -> Seal:
    """The sealed values of one score."""
    return ctx.store.require(_entry(task_id, ctx, name, spec).key)


def read(ctx: Context, task_id: str, spec: Spec, name: str) -> NDArray[np.float32]:
    """Values of one score by sample id, float32 ``[N]``, as they are (not oriented)."""
    values: NDArray[np.float32] = load(seal_of(ctx, task_id, spec, name).path / "values.npy")
    return values


def _sections(spec: Spec) -> list[AlsoSpec]:
    return [spec.score, *spec.score.also]


def _entry(task_id: str, ctx: Context, name: str, spec: Spec | None = None) -> Entry:
    task = ctx.graph[task_id]
    section = next(s for s in _sections(spec or ctx.spec(task)) if s.name == name)
    about = registry.describe("score", name)
    everyone = np.arange(len(ctx.dataset.train), dtype=np.int64)
    parts: dict[str, Any] = {
        "score": about.version,
        "params": section.params,
        "seed": task.seed,
        "n": len(everyone),
    }
    if score_kind(name) == "embedded":
        parts["embeddings"] = ctx.seal(ctx.need(task, "embed")).key
        if "labels" in about.constants.get("NEEDS", ()):
            parts["targets"] = targets_digest(ctx.source.train, everyone)
    else:
        made = _make(section)
        parts["file"] = made.fingerprint() if hasattr(made, "fingerprint") else None
    return Entry("measure", parts)


def _checked(section: AlsoSpec, task: Task, ctx: Context) -> NDArray[np.float32]:
    values = np.asarray(_values(section, task, ctx), dtype=np.float32)
    count = len(ctx.dataset.train)
    if values.shape != (count,):
        raise RuntimeError(f"score {section.name} gave {values.shape} for {count} samples")
    bad = int(np.isnan(values).sum())
    if bad:
        raise UserError(
            f"score {section.name} is not a number for {bad} of {count} samples",
            "every sample needs a score",
        )
    return values


def _values(section: AlsoSpec, task: Task, ctx: Context) -> Any:
    rng = generator(task.seed, "analysis", "select", 1)
    made = _make(section)
    if score_kind(section.name) == "given":
        return made.values(len(ctx.dataset.train), rng)
    path = ctx.seal(ctx.need(task, "embed")).path / "embeddings.npy"
    needs = registry.describe("score", section.name).constants.get("NEEDS", ())
    labels = np.asarray(ctx.source.train.targets) if "labels" in needs else None
    return made.compute(np.load(path, mmap_mode="r"), labels, rng)


def _make(section: AlsoSpec) -> Any:
    module: Any = registry.load("score", section.name)
    return module.make(module.Params(**section.params) if hasattr(module, "Params") else None)
