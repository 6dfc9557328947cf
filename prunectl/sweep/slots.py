"""How a machine is cut into slots. CPU slots divide the threads; nothing is oversubscribed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import UserError
from core.slots import Slot

_CPU_SLOTS = 8
"""More workers than this only cost memory, unless they are asked for."""


@dataclass(frozen=True)
class Wish:
    """What was asked for; None where nothing was."""

    jobs: int | None = None
    per_device: int | None = None
    threads: int | None = None
    """Threads of one slot."""


def make_slots(devices: Sequence[str], wish: Wish, cores: int) -> list[Slot]:
    """Slots over the devices, the devices in turn. UserError when there are not so many cores."""
    if list(devices) == ["cpu"]:
        return _cpu_slots(wish, cores)
    per_device = wish.per_device or 1
    places = [(device, index) for index in range(per_device) for device in devices]
    places = places[: wish.jobs] if wish.jobs else places
    threads = max(1, min(wish.threads or cores, cores // len(places)))
    return [Slot(device, index, threads) for device, index in places]


def _cpu_slots(wish: Wish, cores: int) -> list[Slot]:
    asked = wish.jobs or wish.per_device
    if asked and asked > cores:
        todo = f"this process may use {cores}; ask for at most so many"
        raise UserError(f"{asked} jobs on {cores} CPU cores would disturb each other", todo)
    count = asked or max(1, min(_CPU_SLOTS, cores // (wish.threads or 1)))
    threads = max(1, min(wish.threads or cores, cores // count))
    return [Slot("cpu", index, threads) for index in range(count)]


def available_cores() -> int:
    """Cores this process may use, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def asked_threads() -> int | None:
    """``OMP_NUM_THREADS``, where the user set it: threads of one process."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(asked) if asked.isdigit() and int(asked) > 0 else None
