"""The specs of very many cells from the specs of few: axes that touch different sections are read
apart and put together, because reading 100,000 specs whole takes minutes.

Whether two axes disturb each other is not assumed: every pair of values is read whole, and a sample
of cells too, and must give what is put together. Where that is not so, or where there are too many
pairs, the answer is None and the cells have to be read one by one.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import UserError
from core.spec import Spec
from core.spec_load import parse_spec
from core.spec_set import assigned

_PAIRS = 4000
_SAMPLE = 50
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class _Group:
    """Axes that touch the same sections: their combinations, and the sections each one sets."""

    combinations: list[dict[str, Any]]
    sections: list[dict[str, Any]]


def combined_specs(
    base: Mapping[str, Any], axes: Mapping[str, Sequence[Any]], name: str
) -> list[Spec] | None:
    """Specs of all cells, the last axis varying fastest; None where they must be read one by one,
    which also finds what is wrong."""
    try:
        return _combined(_Reader(base, axes, name))
    except UserError:
        return None


class _Reader:
    """Reads specs that differ from the first cell in some axes."""

    def __init__(
        self, base: Mapping[str, Any], axes: Mapping[str, Sequence[Any]], name: str
    ) -> None:
        self.axes = axes
        self._base, self._name = base, name
        self._first = {key: values[0] for key, values in axes.items()}
        self.origin = self.read({})

    def read(self, settings: Settings) -> Spec:
        return parse_spec(assigned(self._base, {**self._first, **settings}), self._name)

    def changes(self, spec: Spec) -> dict[str, Any]:
        """Sections that differ from the first cell's."""
        return {
            key: value
            for key in Spec.model_fields
            if (value := getattr(spec, key)) != getattr(self.origin, key)
        }


def _combined(reader: _Reader) -> list[Spec] | None:
    groups = [_read_group(reader, axes) for axes in _groups(reader)]
    sizes = [len(group.combinations) for group in groups]
    pairs = sum(a * b for a, b in itertools.combinations(sizes, 2))
    if pairs > _PAIRS or not all(_pair_fits(reader, *pair) for pair in _pairs(groups)):
        return None
    if any(_twice(group) for group in groups):
        return None  # equal cells: the slow way says which
    order = _order(reader, groups)
    specs = [_put_together(reader, groups, choice) for choice in order]
    return specs if _sample_fits(reader, groups, order, specs) else None


def _groups(reader: _Reader) -> list[list[str]]:
    """Axes by the sections they touch; those with a section in common belong together."""
    found: list[tuple[set[str], list[str]]] = []
    for key, values in reader.axes.items():
        touched = {key.partition(".")[0]}
        for value in values:
            touched |= set(reader.changes(reader.read({key: value})))
        axes = [key]
        for other in [g for g in found if g[0] & touched]:
            found.remove(other)
            touched |= other[0]
            axes = other[1] + axes
        found.append((touched, axes))
    return [axes for _, axes in found]


def _read_group(reader: _Reader, axes: Sequence[str]) -> _Group:
    values = itertools.product(*(reader.axes[key] for key in axes))
    combinations = [dict(zip(axes, chosen, strict=True)) for chosen in values]
    return _Group(combinations, [reader.changes(reader.read(c)) for c in combinations])


def _pairs(groups: Sequence[_Group]) -> Iterator[tuple[_Group, int, _Group, int]]:
    for one, other in itertools.combinations(groups, 2):
        for i, j in itertools.product(range(len(one.sections)), range(len(other.sections))):
            yield one, i, other, j


def _pair_fits(reader: _Reader, one: _Group, i: int, other: _Group, j: int) -> bool:
    whole = reader.read({**one.combinations[i], **other.combinations[j]})
    return whole == reader.origin.model_copy(update={**one.sections[i], **other.sections[j]})


def _twice(group: _Group) -> bool:
    """Whether two combinations give the same sections."""
    return len({repr(sections) for sections in group.sections}) < len(group.sections)


def _order(reader: _Reader, groups: Sequence[_Group]) -> list[tuple[int, ...]]:
    """Per cell, which combination of every group it has."""
    places = [[list(reader.axes).index(k) for k in g.combinations[0]] for g in groups]
    sizes = [len(values) for values in reader.axes.values()]
    found = []
    for chosen in itertools.product(*map(range, sizes)):
        cell = []
        for axes in places:
            index = 0
            for place in axes:
                index = index * sizes[place] + chosen[place]
            cell.append(index)
        found.append(tuple(cell))
    assert len(found) == math.prod(sizes)
    return found


def _put_together(reader: _Reader, groups: Sequence[_Group], choice: Sequence[int]) -> Spec:
    changed: dict[str, Any] = {}
    for group, index in zip(groups, choice, strict=True):
        changed |= group.sections[index]
    return reader.origin.model_copy(update=changed)


def _sample_fits(
    reader: _Reader, groups: Sequence[_Group], order: Sequence[tuple[int, ...]],
    specs: Sequence[Spec],
) -> bool:  # fmt: skip
    draw = random.Random(0)
    for index in draw.sample(range(len(specs)), min(_SAMPLE, len(specs))):
        settings: dict[str, Any] = {}
        for group, chosen in zip(groups, order[index], strict=True):
            settings |= group.combinations[chosen]
        if reader.read(settings) != specs[index]:
            return False
    return True
