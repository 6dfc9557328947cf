"""Which task comes next: pure bookkeeping over a graph, longest path first.

A task is ready when all it needs is done. A failed task takes its cells with it; a task that only
such cells need is dropped. When a cell's last task is done, the cell is complete.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping

from core.plan.tasks import Graph, Task


class Schedule:
    """State of all tasks that some open cell needs. ``weights`` are predicted times, any unit."""

    def __init__(self, graph: Graph, weights: Mapping[str, float], closed: Collection[int]) -> None:
        """``closed``: cells that need nothing any more."""
        self._graph = graph
        self._open = {c for t in graph.tasks for c in t.cells} - set(closed)
        self._todo = {t.id: t for t in graph.tasks if self._open.intersection(t.cells)}
        self._order = {name: index for index, name in enumerate(self._todo)}
        self._users: dict[str, list[str]] = {name: [] for name in self._todo}
        self._missing: dict[str, int] = {}
        for task in self._todo.values():
            self._missing[task.id] = len(set(task.needs))
            for need in set(task.needs):
                self._users[need].append(task.id)
        self._path = self._paths(weights)
        self._left = dict.fromkeys(self._open, 0)
        for task in self._todo.values():
            for cell in self._open.intersection(task.cells):
                self._left[cell] += 1
        self._ready: list[tuple[float, int, str]] = []
        self._parked: list[str] = []
        self.running: set[str] = set()
        for name, missing in self._missing.items():
            if not missing:
                self._push(name)

    @property
    def open_cells(self) -> frozenset[int]:
        """Cells that have not ended."""
        return frozenset(self._open)

    @property
    def tasks_left(self) -> int:
        """Tasks that are not done, those at work included."""
        return len(self._todo)

    def next(self) -> Task | None:
        """The ready task with the longest path behind it, now at work; None when none is ready."""
        while self._ready:
            _, _, name = heapq.heappop(self._ready)
            if name in self._todo:  # not dropped meanwhile
                self.running.add(name)
                return self._todo[name]
        return None

    def done(self, name: str) -> list[int]:
        """Note that a task is done; the cells that are complete by it."""
        task = self._todo.pop(name)
        self.running.discard(name)
        for user in self._users[name]:
            self._missing[user] -= 1
            if not self._missing[user] and user in self._todo:
                self._push(user)
        self._unpark()
        complete = []
        for cell in self._open.intersection(task.cells):
            self._left[cell] -= 1
            if not self._left[cell]:
                complete.append(cell)
        self._open -= set(complete)
        return sorted(complete)

    def fail(self, name: str) -> list[int]:
        """Note that a task failed; the cells that fail with it."""
        cells = sorted(self._open.intersection(self._todo[name].cells))
        self.running.discard(name)
        self._open -= set(cells)
        for task in list(self._todo.values()):
            if task.id not in self.running and not self._open.intersection(task.cells):
                del self._todo[task.id]
        self._unpark()
        return cells

    def again(self, name: str) -> None:
        """Back to the ready ones: it was interrupted."""
        self.running.discard(name)
        if self._open.intersection(self._todo[name].cells):
            self._push(name)
        else:
            del self._todo[name]

    def park(self, name: str) -> None:
        """Wait until any other task has ended: somebody else computes what it wants."""
        self.running.discard(name)
        self._parked.append(name)

    def unpark_one(self) -> bool:
        """Make a parked task ready although nothing ended; whether there was one."""
        if not self._parked:
            return False
        self.again(self._parked.pop(0))
        return True

    def _unpark(self) -> None:
        parked, self._parked = self._parked, []
        for name in parked:
            if name in self._todo:
                self.again(name)

    def _push(self, name: str) -> None:
        heapq.heappush(self._ready, (-self._path[name], self._order[name], name))

    def _paths(self, weights: Mapping[str, float]) -> dict[str, float]:
        """By task, its weight and that of the heaviest chain of tasks after it."""
        found: dict[str, float] = {}
        for task in reversed(self._graph.tasks):  # users come after what they need
            if task.id in self._todo:
                after = max((found[user] for user in self._users[task.id]), default=0.0)
                found[task.id] = weights.get(task.id, 0.0) + after
        return found
