"""What a worker does with a run: data, plan, lease, graph, summary."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch

from core import events as ev
from core.data.bank import REAL, Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.errors import NeedsLabels, PrunectlError, Stopped
from core.estimate import forecast
from core.facts import DataFacts
from core.labels import with_added
from core.leases import lease
from core.locks import hostname
from core.pipeline import run_graph
from core.plan.build import build_graph
from core.plan.tasks import Task
from core.predicted import write_predicted
from core.runs import Run, store_folder
from core.session import Session, versions
from core.spec import Spec
from core.stages.base import Context
from core.stages.prune import refuse_impossible
from core.store import Store
from core.summary import Summary
from core.training import devices
from core.training.memory import resident_bytes


def run_spec(session: Session, spec: Spec, *, fresh: bool) -> None:
    """Run or resume one spec in this process."""
    compute = _compute(session, spec)
    dataset = prepare_dataset(
        spec.data, default_cache_root(), _data_progress(session), lambda: _check(session)
    )
    graph = build_graph([(spec, facts_of(dataset))])
    refuse_impossible(graph)
    used = versions()
    run = session.run_folder
    labelled = with_added(dataset, run)
    session.emit(
        ev.RunStarted(
            run.id, spec.to_dict(), hostname(), str(compute.device), compute.threads, used,
            compute.precision,
        )
    )  # fmt: skip
    session.emit(ev.Plan([task.to_dict() for task in graph.tasks]))
    store = Store(store_folder(run.runs), lambda text: session.emit(ev.Message("warning", text)))
    ctx = Context(
        graph, labelled, store, compute, session.emit, session.stop.is_set,
        started_before=session.started_tasks(), as_given=dataset,
    )  # fmt: skip
    summary = Summary(ctx, run, used)
    session.readings = _readings(compute)
    with lease(
        str(compute.device), run.id, lambda who: _queue(session, who), lambda: _check(session)
    ):
        session.set_status("running")
        _run(ctx, summary, fresh)


def facts_of(dataset: Dataset) -> DataFacts:
    """What the plan needs to know of a dataset."""
    source = dataset.train.source
    return DataFacts(
        len(dataset.train), len(dataset.test), len(dataset.classes), dataset.fingerprint,
        int((dataset.train.targets >= 0).sum()),
        None if source is None else int((np.asarray(source) == REAL).sum()),
    )  # fmt: skip


def _run(ctx: Context, summary: Summary, fresh: bool) -> None:
    last_of_seed = {task.seed: task.id for task in ctx.graph.tasks}

    begun = set(ctx.started_before)

    def finished(task: Task, reused: bool) -> None:
        summary.task_done(task, reused)
        begun.add(task.id)
        if task.stage == "retrain":
            _predict(ctx, summary.run, begun)
        if last_of_seed[task.seed] == task.id and task.id != ctx.graph.tasks[-1].id:
            summary.write("running", None)

    try:
        _predict(ctx, summary.run, begun)
        run_graph(ctx, finished, fresh=fresh)
    except Stopped as stop:
        summary.write("stopped", stop.kind)
        if isinstance(stop, NeedsLabels):
            report(ctx, summary.run)
        raise
    except PrunectlError as error:
        try:
            summary.write("failed", error.kind)
        except PrunectlError as second:  # such as a full disk: the first error is the one to tell
            ctx.emit(ev.Message("warning", f"no summary was written: {second}"))
        raise
    summary.write("finished", None)
    report(ctx, summary.run)


def report(ctx: Context, run: Run) -> None:
    """Write the page to send on. It never fails a run: whatever goes wrong with it is a warning."""
    try:
        from core.report.run import write_report

        write_report(run)
    except Exception as error:
        text = f"no report was written: {type(error).__name__}: {error}"
        ctx.emit(ev.Message("warning", text))


def _predict(ctx: Context, run: Run, begun: Collection[str]) -> None:
    """Keep what the rest should cost, once, as soon as earlier work says how long a pass takes."""
    if not run.predicted_file.exists() and (predicted := forecast(ctx, begun)) is not None:
        write_predicted(run, predicted)


def _compute(session: Session, spec: Spec) -> devices.Compute:
    """Device, precision and threads; a resumed run keeps the threads it was begun with."""
    wanted = spec.compute
    first = session.first_start()
    if first is not None and wanted.threads is None:
        wanted = wanted.model_copy(update={"threads": first.threads})
    compute = devices.resolve(wanted)
    devices.apply(compute)
    return compute


def _check(session: Session) -> None:
    if session.stop.is_set():
        raise Stopped("stopped")


def _queue(session: Session, holder: dict[str, Any]) -> None:
    who = str(holder.get("run", "another process"))
    session.set_status("queued", who)
    session.emit(ev.Message("info", f"queued behind {who}"))


def _data_progress(session: Session) -> Callable[[int, int], None]:
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        _check(session)
        if time.monotonic() - last > 0.5 or done == total:
            last = time.monotonic()
            session.emit(ev.Progress("data", done, total, "samples"))

    return report


def _readings(compute: devices.Compute) -> Callable[[], Mapping[str, float]]:
    """Memory in bytes and utilisation (0..1) of what the run uses of the device."""
    last = (time.monotonic(), _cpu_seconds())

    def read() -> dict[str, float]:
        nonlocal last
        if compute.device.type == "cuda":
            return {"device/memory_bytes": float(torch.cuda.memory_allocated(compute.device))}
        now, cpu = time.monotonic(), _cpu_seconds()
        share = (cpu - last[1]) / max(1e-6, (now - last[0]) * compute.threads)
        last = (now, cpu)
        memory = float(resident_bytes())
        return {"device/memory_bytes": memory, "device/utilisation": min(1.0, share)}

    return read


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
