"""The schedule's bookkeeping, on graphs small enough to follow by hand and on random ones."""

from __future__ import annotations

import random

import pytest

from core.plan.tasks import Graph, Task
from prunectl.sweep.schedule import Schedule


def graph(*tasks: tuple[str, str, tuple[int, ...]]) -> Graph:
    """Tasks as (id, needs as one word, cells)."""
    made = [
        Task(name, "prune", 0, tuple(needs.split()), cells=cells) for name, needs, cells in tasks
    ]
    return Graph(tuple(made), ())


DIAMOND = graph(
    ("root", "", (0, 1)), ("long", "root", (0,)), ("short", "root", (1,)),
    ("tail", "long", (0,)),
)  # fmt: skip


def test_the_longest_path_goes_first() -> None:
    schedule = Schedule(DIAMOND, {"root": 1, "long": 1, "tail": 5, "short": 3}, ())
    assert _next(schedule) == "root" and schedule.next() is None
    assert schedule.done("root") == []
    assert [_next(schedule), _next(schedule)] == ["long", "short"]  # 1 + 5 beats 3
    assert schedule.done("short") == [1]
    assert schedule.done("long") == []
    assert _next(schedule) == "tail"
    assert schedule.done("tail") == [0]
    assert schedule.tasks_left == 0 and not schedule.open_cells


def test_a_failure_takes_its_own_cells_only() -> None:
    schedule = Schedule(DIAMOND, {}, ())
    _next(schedule)
    schedule.done("root")
    assert {_next(schedule), _next(schedule)} == {"long", "short"}
    assert schedule.fail("long") == [0]
    assert schedule.next() is None  # tail was only for cell 0
    assert schedule.done("short") == [1]
    assert schedule.tasks_left == 0


def test_a_failure_of_a_shared_task_takes_all() -> None:
    schedule = Schedule(DIAMOND, {}, ())
    _next(schedule)
    assert schedule.fail("root") == [0, 1]
    assert schedule.next() is None and not schedule.open_cells


def test_closed_cells_need_nothing() -> None:
    schedule = Schedule(DIAMOND, {}, closed=[0])
    assert schedule.tasks_left == 2
    assert _next(schedule) == "root"
    schedule.done("root")
    assert _next(schedule) == "short"
    assert schedule.next() is None


def test_an_interrupted_task_comes_again_and_a_parked_one_when_something_ended() -> None:
    schedule = Schedule(DIAMOND, {}, ())
    assert _next(schedule) == "root"
    schedule.again("root")
    assert _next(schedule) == "root"
    schedule.done("root")
    first, second = _next(schedule), _next(schedule)
    schedule.park(first)
    assert schedule.next() is None
    schedule.done(second)
    assert _next(schedule) == first
    schedule.park(first)
    assert schedule.unpark_one() and _next(schedule) == first
    assert not schedule.unpark_one()


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_end_whatever_happens(seed: int) -> None:
    """Against the definition: a cell completes exactly when all its tasks are done and none
    failed; nothing starts before its needs."""
    draw = random.Random(seed)
    names = [f"t{i}" for i in range(30)]
    cells_of: dict[str, set[int]] = {}
    needs_of: dict[str, tuple[str, ...]] = {}
    for index, name in enumerate(names):
        needs_of[name] = tuple(draw.sample(names[:index], min(index, draw.randrange(3))))
        cells_of[name] = {draw.randrange(6)}
    for name in reversed(names):  # whoever needs a task is among its cells
        for need in needs_of[name]:
            cells_of[need] |= cells_of[name]
    made = [Task(n, "prune", 0, needs_of[n], cells=tuple(sorted(cells_of[n]))) for n in names]
    schedule = Schedule(Graph(tuple(made), ()), {n: draw.random() for n in names}, ())
    done: set[str] = set()
    failed_cells: set[int] = set()
    complete: set[int] = set()
    while (task := schedule.next()) is not None:
        assert set(task.needs) <= done
        assert set(task.cells) - failed_cells  # somebody still wants it
        event = draw.random()
        if event < 0.1:
            failed_cells |= set(schedule.fail(task.id))
        elif event < 0.3:
            schedule.again(task.id)
        else:
            done.add(task.id)
            complete |= set(schedule.done(task.id))
    wanted = {c for cells in cells_of.values() for c in cells}
    assert complete == wanted - failed_cells
    for cell in complete:
        assert {n for n in names if cell in cells_of[n]} <= done


def _next(schedule: Schedule) -> str:
    task = schedule.next()
    assert task is not None
    return task.id
