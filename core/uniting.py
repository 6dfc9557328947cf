"""Tasks of many specs, equal ones once, and blocks of tasks that many specs have in common.

To describe a task takes microseconds, and the cells of a large sweep ask for a million. But they
share most of their sections, the very objects, so tasks are described in *blocks*: a block is made
once for all specs that have the same sections in it, and is counted for the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Generic, NamedTuple, TypeVar

from core.spec import Spec
from core.units import digest

T = TypeVar("T")


class Described(NamedTuple):
    """A task before it is known whether there is an equal one."""

    name: str
    """Its id in the graph of one spec, ``stage-...``."""
    needs: tuple[str, ...]
    """Names of the tasks it reads."""
    parts: Mapping[str, Any]
    """Words and numbers that, with what it needs, say what it does."""
    more: Mapping[str, Any]
    """Further fields of the task, which follow from the parts."""


@dataclass(slots=True, eq=False)
class Draft:
    """A task of the graph while its cells are still being counted."""

    id: str
    identity: str
    fields: Mapping[str, Any]
    """Stage, seed, needs (ids of the graph) and what else describes it."""
    cells: list[int] = field(default_factory=list)
    scores: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The sections of all its cells' scores, by their digest."""


class Drafts:
    """The tasks of a graph by identity."""

    def __init__(self) -> None:
        self._known: dict[str, Draft] = {}
        self._taken: dict[str, str] = {}  # task ids without an addition -> identities

    def of(self, task: Described, seed: int, known: Mapping[str, Draft]) -> Draft:
        """The draft of a task; ``known`` by name holds what it needs."""
        stage, needs = task.name.split("-", 1)[0], [known[name] for name in task.needs]
        # Not as JSON, which takes most of the time of a large plan: parts are words and numbers.
        described = repr((stage, seed, [need.identity for need in needs], task.parts))
        identity = hashlib.sha256(described.encode()).hexdigest()
        draft = self._known.get(identity)
        if draft is None:
            unique = self._unique(task.name, identity)
            ids = tuple([need.id for need in needs])
            fields = {"stage": stage, "seed": seed, "needs": ids, **task.more}
            draft = self._known[identity] = Draft(unique, identity, fields)
        for section in task.more.get("scores", ()):
            draft.scores.setdefault(digest(section), section)
        return draft

    def block(
        self, tasks: Iterable[Described], seed: int, known: Mapping[str, Draft] | None = None
    ) -> dict[str, Draft]:
        """The drafts of tasks in their order, by name; ``known`` holds those made before."""
        found: dict[str, Draft] = {}
        earlier = dict(known or {})
        for task in tasks:
            found[task.name] = earlier[task.name] = self.of(task, seed, earlier)
        return found

    def _unique(self, name: str, identity: str) -> str:
        first = self._taken.setdefault(name, identity) == identity
        return name if first else f"{name}-{identity[:8]}"


class Blocks(Generic[T]):
    """What ``make(spec, ...)`` answers, once for each combination of the sections ``reads``.

    Sections are told apart by their ``id``, and kept, so that an ``id`` stays theirs. ``make`` is
    shown a spec that has no other sections: to read one that is not in ``reads`` is an
    AttributeError, never an answer that is wrong for some specs.
    """

    def __init__(self, make: Callable[..., T], reads: Iterable[str]) -> None:
        self._make, self._reads = make, tuple(reads)
        get = attrgetter(*self._reads)
        self._sections = get if len(self._reads) > 1 else lambda spec: (get(spec),)
        self._known: dict[tuple[Hashable, ...], tuple[T, Any]] = {}

    def of(self, spec: Spec, *about: Hashable) -> T:
        """The answer for a spec and what else ``make`` is given."""
        sections = self._sections(spec)
        key = (*map(id, sections), *about)
        found = self._known.get(key)
        if found is None:
            seen = SimpleNamespace(**dict(zip(self._reads, sections, strict=True)))
            found = self._known[key] = self._make(seen, *about), sections
        return found[0]
