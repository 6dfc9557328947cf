"""What a sweep has to know before it plans: facts of its data, devices, slots."""

from __future__ import annotations

from collections.abc import Sequence

from core import slots
from core.errors import RunFailure, Stopped
from core.planning import data_key
from core.sweep_spec import Cell
from prunectl.sweep.executor import Executor
from prunectl.sweep.failures import death, error_of
from prunectl.sweep.slots import Wish, asked_threads, available_cores, make_slots
from prunectl.sweep.supervision import Supervision

_LOOKED_AT = 200
"""Cells of a larger sweep are not asked beforehand whether their policies can work."""


def look(executor: Executor, session: Supervision, cells: Sequence[Cell]) -> slots.Looked:
    """Facts of all datasets, and the devices to use. Stopped when the worker was told to end."""
    specs = {data_key(cell.spec): cell.spec for cell in cells}
    if len(cells) <= _LOOKED_AT:
        specs = {cell.id: cell.spec for cell in cells}
    named = session.options.device_names()
    wanted = cells[0].spec.compute.device if named is None else named[0]
    report = executor.ask(slots.LookJob(list(specs.values()), wanted))
    if isinstance(report, slots.Done):
        looked: slots.Looked = report.value
        return slots.Looked(looked.facts, named or looked.devices)
    if isinstance(report, slots.Failed):
        raise error_of(report)
    if isinstance(report, slots.Lost) and not session.stop.is_set():
        raise RunFailure(f"the worker that prepares the data {death(report.code)}")
    raise Stopped("stopped")


def slots_for(
    devices: Sequence[str], session: Supervision, cells: Sequence[Cell]
) -> list[slots.Slot]:
    """As asked for; a resumed sweep keeps the threads of its slots, which results depend on."""
    first, options = session.ledger.first, session.options
    asked = [c.spec.compute.threads for c in cells if c.spec.compute.threads]
    threads = max(asked) if asked else asked_threads()
    if first is not None and first.slots:
        threads = int(first.slots[0]["threads"])
    wish = Wish(options.jobs, options.slots_per_device, threads)
    return make_slots(devices, wish, available_cores())
