"""A cell's run folder, made when the cell has ended: from sealed outputs, as a run's own worker
makes it, and from the sweep's journal, of which the cell's is a projection.

It can be made any number of times; what it says depends on nothing but its inputs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

from core import events as ev
from core.data.bank import Dataset
from core.files import fsync_file, fsync_folder, write_atomic
from core.journal import Journal, Record, records_at
from core.locks import hostname, process_start
from core.plan.build import build_graph
from core.plan.tasks import Graph
from core.runs import Run, State
from core.session import versions
from core.slots import CellJob
from core.stages.base import Context
from core.store import Store
from core.summary import Summary
from core.training.devices import Compute
from core.work import report

Figures = dict[str, float | None]


def fill(
    job: CellJob, dataset: Dataset, store: Store, compute: Compute, emit: Callable[[ev.Event], None]
) -> Figures:
    """Make the folder; the figures that people compare. Its last word is ``state.json``."""
    run = Run(job.folder)
    run.path.mkdir(parents=True, exist_ok=True)
    run.write_state(_state("running", None))
    write_atomic(run.spec_file, job.spec.to_yaml().encode())
    graph, used = build_graph([(job.spec, job.facts)]), versions()
    _write_journal(job, run, graph, compute, used)
    keys = {name: list(found) for name, found in job.keys.items()}
    ctx = Context(graph, dataset, store, compute, emit, lambda: False, keys=keys)
    summary = Summary(ctx, run, used)
    for task in graph.tasks:
        if task.id in keys:
            summary.task_done(task, job.reused[task.id])
    summary.write(job.status, job.reason)
    if job.status != "failed":
        report(ctx, run)
    run.write_state(replace(_state(job.status, job.reason), pid=None, pid_start=None))
    return figures(run.summary() or {}, job.spec.extrapolate.name)


def figures(summary: Mapping[str, Any], method: str) -> Figures:
    """What a sweep's overview shows of a cell: the method at the first listed rate, mean over
    seeds; the mean rank correlation on held-out scored samples; the saving there."""
    points = [p for p in summary.get("tradeoff", ()) if p["method"] == method]
    found: Figures = {"rate": points[0]["rate"] if points else None}
    for point in points:
        if point["rate"] == points[0]["rate"]:
            found[point["metric"]] = point["mean"]
    told = [e["heldout"]["spearman"] for e in summary.get("extrapolation", ())]
    known = [value for value in told if value is not None]
    found["spearman"] = fmean(known) if known else None
    rows = (summary.get("cost") or {}).get("by_rate", ())
    savings = [r["saving"] for r in rows if r["method"] == method and r["rate"] == found["rate"]]
    found["saving"] = savings[0] if savings else None
    return found


def _write_journal(
    job: CellJob, run: Run, graph: Graph, compute: Compute, used: Mapping[str, str]
) -> None:
    temporary = run.path / ".events.jsonl.tmp"
    temporary.unlink(missing_ok=True)
    journal = Journal(temporary)
    try:
        started = ev.RunStarted(
            run.id, job.spec.to_dict(), hostname(), str(compute.device), compute.threads, used,
            compute.precision,
        )  # fmt: skip
        journal.append(started, ts=job.began)
        journal.append(ev.Plan([task.to_dict() for task in graph.tasks]), ts=job.began)
        last = job.began
        for record in _projected(job):
            journal.append(record.event, ts=record.ts)
            last = record.ts
        if job.status == "failed" and job.what:
            journal.append(ev.Message("error", job.what), ts=last)
        journal.append(ev.RunFinished(job.status, job.reason), ts=last)
    finally:
        journal.close()
    fsync_file(temporary)
    os.replace(temporary, run.journal)
    fsync_folder(run.path)


def _projected(job: CellJob) -> Iterator[Record]:
    """The cell's records, tasks under the ids they would have alone."""
    alone = {there: here for here, there in job.names.items()}
    for record in records_at(job.journal, job.lines):
        event: Any = record.event
        task = getattr(event, "task", None)
        if task is None:
            yield record
        elif task in alone:
            yield replace(record, event=replace(event, task=alone[task]))


def _state(status: str, reason: str | None) -> State:
    pid = os.getpid()
    return State(status, reason, pid, process_start(pid), hostname(), time.time())
