"""A sweep's definition: a base spec and axes; its cells are their product, each a valid spec.

An axis varies one key of the spec, any but those that stay lists inside a run (``seeds``,
``prune.rates``) or change no result. All problems of all cells are found at once.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import UserError, nearest
from core.memory import without_collection
from core.spec import Spec
from core.spec_load import SpecError, parse_spec, read_yaml
from core.spec_set import assigned, override
from core.sweep_product import combined_specs
from core.units import digest

SCHEMA = 1
MANY_CELLS = 100_000
_SLUG = 40
_READ_WHOLE = 500
"""Fewer cells than this are read one by one."""
_SHOWN_PROBLEMS = 20
_FIXED = {
    "seeds": "seeds are replicates inside every cell; give the list as seeds",
    "prune.rates": "every cell runs all rates; give the list as prune.rates",
    "name": "the name changes no result",
    "compute.device": "choose devices with --devices",
    "compute.threads": "slots divide the threads; see --jobs",
    "compute.checkpoint_every": "it changes no result",
    "compute.keep_models": "it changes no result",
}


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: its id, the axes' values, the complete spec."""

    id: str
    settings: Mapping[str, Any]
    spec: Spec


@dataclass(frozen=True)
class SweepSpec:
    """A base mapping (not filled in) and what varies, by ``section.key``."""

    name: str
    base: Mapping[str, Any]
    axes: Mapping[str, Sequence[Any]]

    @property
    def count(self) -> int:
        """Number of cells."""
        return math.prod(len(values) for values in self.axes.values())

    def to_dict(self) -> dict[str, Any]:
        """What ``sweep.yaml`` holds."""
        return {
            "schema": SCHEMA, "name": self.name, "base": dict(self.base),
            "axes": {key: list(values) for key, values in self.axes.items()},
        }  # fmt: skip

    def to_yaml(self) -> str:
        """The same as text."""
        text: str = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        return text

    def settings(self) -> Iterator[dict[str, Any]]:
        """The axes' values of every cell, the last axis varying fastest."""
        for values in itertools.product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    def first(self) -> Spec:
        """The spec of the first cell."""
        return parse_spec(assigned(self.base, next(self.settings())), self.name)

    def cells(self) -> tuple[Cell, ...]:
        """All cells. SpecError listing every problem of every cell, each once."""
        if self.count > _READ_WHOLE:
            with without_collection():
                specs = combined_specs(self.base, self.axes, self.name)
                if specs is not None:
                    return tuple(map(Cell, self._ids(), self.settings(), specs))
        found, problems = [], _Problems(self.count)
        for cell_id, settings in zip(self._ids(), self.settings(), strict=True):
            try:
                spec = parse_spec(assigned(self.base, settings), self.name)
            except SpecError as error:
                problems.add(error.problems, settings)
                continue
            except UserError as error:
                problems.add([str(error)], settings)
                continue
            found.append(Cell(cell_id, settings, spec))
        problems.raise_if_any(self.name)
        _refuse_equal(found)
        return tuple(found)

    def _ids(self) -> Iterator[str]:
        """Ids of all cells: the index, and the values where they are short words, for people who
        look at folders (``07-knn-top_k``)."""
        width = max(2, len(str(self.count - 1)))
        words = [[_word(_text(value)) for value in values] for values in self.axes.values()]
        for index, chosen in enumerate(itertools.product(*words)):
            slug = "-".join(word for word in chosen if word)
            yield f"{index:0{width}}" + (f"-{slug}" if 0 < len(slug) <= _SLUG else "")


class _Problems:
    """Problems of cells, each told once with an example of where it is."""

    def __init__(self, cells: int) -> None:
        self._cells = cells
        self._where: dict[str, list[Mapping[str, Any]]] = defaultdict(list)

    def add(self, problems: Sequence[str], settings: Mapping[str, Any]) -> None:
        for problem in problems:
            self._where[problem].append(settings)

    def raise_if_any(self, name: str) -> None:
        if not self._where:
            return
        lines = []
        for problem, where in self._where.items():
            some = len(where) < self._cells
            place = f" (in {len(where)} of {self._cells} cells, such as {shown(where[0])})"
            lines.append(problem + (place if some else ""))
        more = len(lines) - _SHOWN_PROBLEMS
        if more > 0:
            lines = [*lines[:_SHOWN_PROBLEMS], f"and {more} more"]
        raise SpecError(lines, name)


def shown(settings: Mapping[str, Any]) -> str:
    """``extrapolate.k=5, prune.policy=top_k``."""
    return ", ".join(f"{key}={_text(value)}" for key, value in settings.items())


def parse_sweep(
    mapping: Mapping[str, Any], assignments: Sequence[str] = (), axis_texts: Sequence[str] = ()
) -> SweepSpec:
    """A sweep from a spec's mapping with a ``sweep: {axes: ...}`` section, changed by ``--set``
    texts; ``--axis key=a,b`` texts add axes or replace them."""
    base = {k: v for k, v in mapping.items() if k != "sweep"}
    axes = _axes_of(mapping.get("sweep"))
    for text in axis_texts:
        key, values = _axis(text)
        axes[key] = values
    problems = [*_axis_problems(axes), *_fixed_by_set(assignments, axes)]
    if not axes:
        problems.append(
            "nothing varies: give --axis section.key=a,b or a preset with a sweep section"
        )
    if problems:
        raise SpecError(problems, "the sweep")
    base = override(base, list(assignments))
    return SweepSpec(str(base.get("name") or "sweep"), base, axes)


def read_sweep(path: Path) -> SweepSpec:
    """The definition in a ``sweep.yaml``."""
    plain = read_yaml(path)
    if not isinstance(plain.get("schema"), int) or plain["schema"] > SCHEMA:
        raise UserError(f"{path} was written by a newer version", "upgrade prunectl")
    return SweepSpec(str(plain["name"]), plain["base"], plain["axes"])


def _axes_of(section: Any) -> dict[str, list[Any]]:
    if section is None:
        return {}
    if not isinstance(section, Mapping) or not isinstance(section.get("axes"), Mapping):
        raise SpecError(["sweep: give axes, such as {axes: {extrapolate.k: [5, 10]}}"], "the sweep")
    if extra := sorted(str(k) for k in section if k != "axes"):
        hint = nearest(extra[0], ["axes"])
        raise SpecError([f"sweep.{key}: no such key; {hint}" for key in extra], "the sweep")
    wrong = [k for k, v in section["axes"].items() if not isinstance(v, list)]
    if wrong:
        lines = [f"sweep.axes.{key}: give a list of values" for key in wrong]
        raise SpecError(lines, "the sweep")
    return {str(key): list(values) for key, values in section["axes"].items()}


def _axis(text: str) -> tuple[str, list[Any]]:
    key, sign, given = text.partition("=")
    if not sign or not key.strip():
        raise UserError(f"--axis {text!r} is not key=a,b", "such as --axis extrapolate.k=5,10")
    try:
        values = yaml.safe_load(f"[{given}]")
    except yaml.YAMLError:
        raise UserError(f"--axis {text!r}: the values are not valid YAML") from None
    return key.strip(), values


def _axis_problems(axes: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    for key, values in axes.items():
        if key in _FIXED or key.split(".")[0] == "tracking":
            yield f"axis {key}: {_FIXED.get(key, 'tracking changes no result')}"
        elif key.partition(".")[0] not in Spec.model_fields:
            first = key.partition(".")[0]
            yield f"axis {key}: no such section; {nearest(first, Spec.model_fields)}"
        if not values:
            yield f"axis {key}: it has no values"
        elif len({digest(value) for value in values}) != len(values):
            yield f"axis {key}: a value is given twice"


def _fixed_by_set(assignments: Sequence[str], axes: Mapping[str, Any]) -> Iterator[str]:
    for text in assignments:
        key = text.partition("=")[0].strip()
        if key in axes:
            yield f"--set {key}: it is an axis of this sweep; use --axis {key}=VALUE"


def _refuse_equal(cells: Sequence[Cell]) -> None:
    seen: dict[str, Cell] = {}
    problems = []
    for cell in cells:
        other = seen.setdefault(cell.spec.identity(), cell)
        if other is not cell:
            problems.append(f"{shown(other.settings)} and {shown(cell.settings)} are the same run")
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        tail = [f"and {more} more"] if more > 0 else []
        raise SpecError([*problems[:_SHOWN_PROBLEMS], *tail], "the sweep")


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("_.")


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower().replace("none", "null")
    if isinstance(value, Mapping | list | tuple):
        dumped: str = yaml.safe_dump(value, default_flow_style=True, width=10**6)
        return dumped.strip()
    return str(value)
