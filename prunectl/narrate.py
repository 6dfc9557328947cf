"""Events as sentences: one line each, for logs and for places where nothing can be redrawn."""

from __future__ import annotations

from functools import singledispatch

from core import events as ev
from prunectl import words


@singledispatch
def sentence(event: ev.Event) -> str:
    """An event in one line; empty for those that say nothing alone (points, checkpoints)."""
    return ""


@sentence.register
def _(event: ev.RunStarted) -> str:
    return f"run {event.run} on {event.device}, {words.plural(event.threads, 'thread')}"


@sentence.register
def _(event: ev.SweepStarted) -> str:
    slots = ", ".join(f"{s.get('device')}/{s.get('slot')}" for s in event.slots)
    return f"sweep {event.sweep}: {words.plural(len(event.cells), 'cell')} on {slots}"


@sentence.register
def _(event: ev.CellFinished) -> str:
    if event.status != "finished":
        return f"cell {event.cell} {event.status}: {event.what}"
    accuracy = words.percent(event.figures.get("test_accuracy"))
    rate = words.number(event.figures.get("rate"), 2)
    return f"cell {event.cell} finished: {accuracy}% at rate {rate}"


@sentence.register
def _(event: ev.Plan) -> str:
    passes = sum(int(t.get("sample_passes") or 0) for t in event.tasks)
    return f"plan: {words.plural(len(event.tasks), 'task')}, {words.count(passes)} sample passes"


@sentence.register
def _(event: ev.TaskStarted) -> str:
    return f"{event.task} started"


@sentence.register
def _(event: ev.Resumed) -> str:
    return f"{event.task} goes on after step {event.step}"


@sentence.register
def _(event: ev.Progress) -> str:
    return f"{event.task} {amount(event.done, event.total, event.unit)}"


@sentence.register
def _(event: ev.Extrapolated) -> str:
    if not event.chosen:
        return ""
    found, chosen = words.number(event.heldout), words.params(event.params)
    return f"seed {event.seed}: {event.method} chose {chosen}, held-out {found} (optimistic)"


@sentence.register
def _(event: ev.TaskFinished) -> str:
    how = "reused" if event.reused else words.clock(event.cost.get("seconds"))
    return f"{event.task} done ({how})"


@sentence.register
def _(event: ev.TaskFailed) -> str:
    return f"{event.task} failed: {event.what}"


@sentence.register
def _(event: ev.TrialFinished) -> str:
    shown = (f"{name} {words.percent(value)}%" for name, value in event.metrics.items())
    return f"{event.trial}: {', '.join(shown)}"


@sentence.register
def _(event: ev.Message) -> str:
    return f"{event.level}: {event.text}"


@sentence.register
def _(event: ev.RunFinished) -> str:
    reason = event.reason if event.reason != event.status else None
    return f"run {event.status}" + (f" ({reason})" if reason else "")


def amount(done: float, total: float, unit: str) -> str:
    """``epoch 7/12``."""
    return f"{unit} {done:.4g}/{total:.4g}".strip()
