"""Runs a graph in one worker: for each task reuse or run, emit, seal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core import events as ev
from core.errors import NeedsLabels, PrunectlError, RunFailure, Stopped
from core.labels import unlabelled
from core.plan.tasks import Task
from core.stages import (
    crossfit,
    direct,
    embed,
    extrapolate,
    measure,
    neighbors,
    prune,
    reference,
    retrain,
    score,
    subset,
    train_task,
)
from core.stages.base import Context, Entry
from core.store import Seal

STAGES: dict[str, Any] = {
    "subset": subset,
    "score": score,
    "crossfit": crossfit,
    "direct": direct,
    "embed": embed,
    "neighbors": neighbors,
    "measure": measure,
    "reference": reference,
    "extrapolate": extrapolate,
    "prune": prune,
    "retrain": retrain,
}


def run_graph(ctx: Context, finished: Callable[[Task, bool], None], *, fresh: bool = False) -> None:
    """Run every task in order; ``finished(task, reused)`` is called after each.

    ``fresh`` computes everything again. Raises what stopped it after saying so in the journal.
    """
    waiting: dict[str, int] = {}
    for task in ctx.graph.tasks:
        ctx.check()
        if missing := without_label(task, ctx):
            waiting[task.id] = missing
            continue
        try:
            reused = run_task(task, ctx, fresh=fresh)
        except Stopped:
            raise
        except PrunectlError as error:
            ctx.emit(ev.TaskFailed(task.id, error.kind, error.what, error.todo))
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            ctx.emit(ev.TaskFailed(task.id, "failed", what, "see worker.log"))
            raise RunFailure(f"{task.id}: {what}", "worker.log has the traceback") from error
        finished(task, reused)
    if waiting:
        raise _needs_labels(waiting, len([t for t in ctx.graph.tasks if t.stage == "retrain"]))


def without_label(task: Task, ctx: Context) -> int:
    """How many samples a retraining would need that have no label."""
    if task.stage != "retrain" or ctx.source.train.targets.min() >= 0:
        return 0
    return len(unlabelled(ctx.dataset, retrain.kept_ids(task, ctx)))


def _needs_labels(waiting: dict[str, int], retrainings: int) -> NeedsLabels:
    first, count = next(iter(waiting.items()))
    return NeedsLabels(
        f"{len(waiting)} of {retrainings} retrainings wait for labels "
        f"({first}: {count} samples without)",
        "list them with `prunectl export`, label them, go on with `prunectl resume --labels FILE`",
    )


def run_task(task: Task, ctx: Context, *, fresh: bool = False) -> bool:
    """Reuse or run one task; whether it was reused."""
    stage = STAGES[task.stage]
    wanted: list[Entry] = stage.entries(task, ctx)
    missing = _missing(task, wanted, ctx, fresh)
    reused = not missing
    if missing:
        with ctx.store.lock(
            wanted[0].key, lambda holder: _say_waiting(task, ctx, holder), ctx.check
        ):
            missing = _missing(task, wanted, ctx, fresh)  # another may have made it
            reused = not missing
            if missing:
                ctx.emit(ev.TaskStarted(task.id, task.stage, task.seed, _trial_id(task)))
                stage.produce(task, ctx, missing)
                ctx.made.update(entry.key for entry in missing)
    ctx.keys[task.id] = [entry.key for entry in wanted]
    seal = ctx.store.require(wanted[0].key)
    if reused and task.id in ctx.told_in_part:
        ctx.emit(ev.Resumed(task.id, 0))
        train_task.replay_curve(ctx, task, seal)
    elif reused and task.id not in ctx.started_before:
        train_task.replay_curve(ctx, task, seal)
    if task.stage == "extrapolate":
        extrapolate.announce(task, ctx)
    ctx.emit(ev.TaskFinished(task.id, seal.key, reused, ctx.cost(task.id)))
    if task.trial is not None and task.stage == "retrain":
        ctx.emit(ev.TrialFinished(task.trial.id, seal.meta["metrics"]))
    return reused


def _missing(task: Task, wanted: list[Entry], ctx: Context, fresh: bool) -> list[Entry]:
    if fresh:
        return [entry for entry in wanted if entry.key not in ctx.made]
    acceptable = getattr(STAGES[task.stage], "acceptable", _always)
    found = []
    for entry in wanted:
        seal = ctx.store.get(entry.key)
        if seal is None or not acceptable(task, ctx, seal):
            found.append(entry)
    return found


def _always(task: Task, ctx: Context, seal: Seal) -> bool:
    return True


def _say_waiting(task: Task, ctx: Context, holder: dict[str, Any]) -> None:
    if ctx.on_wait is not None:
        ctx.on_wait(task, holder)
    text = f"{task.id}: process {holder.get('pid', '?')} is computing it; waiting"
    ctx.emit(ev.Message("info", text))


def _trial_id(task: Task) -> str | None:
    return task.trial.id if task.trial else None
