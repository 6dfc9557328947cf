"""The form of a sweep: a section of axes, each the list of its values, and the fields of the first
cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import yaml

from core.errors import PrunectlError
from core.spec import Spec
from core.spec_load import SpecError
from core.spec_set import override
from core.sweep_spec import SweepSpec, parse_sweep
from prunectl.presets import load_mapping
from prunectl.tui.fields import Field, fields_of, is_yaml, text_of
from prunectl.tui.form import Checked, Form, Problem, merged, ordered, path_of, value_at

SECTION = "sweep"
_CHECKED_WHOLE = 64
"""Of more cells only the first is looked at while somebody types; all are when it is started."""


class CheckedSweep(Checked):
    """A sweep's form looked at as it stands; ``spec`` is the first cell's."""

    def __init__(
        self, sweep: SweepSpec | None, spec: Spec | None, values: Mapping[str, Any],
        problems: tuple[Problem, ...], axes: Sequence[str],
    ) -> None:  # fmt: skip
        super().__init__(spec, values, problems)
        self.sweep = sweep
        self._axes = axes

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The axes, then all else."""
        known = {field.path: field for field in fields_of(self.values)}
        axes = []
        for key in self._axes:
            plain = known.pop(key, Field(key, SECTION, key, "", "text"))
            takes = f"[{plain.takes or 'value'}, ...]"
            axes.append(replace(plain, section=SECTION, label=key, kind="text", takes=takes))
        return (*axes, *known.values())


class SweepForm(Form):
    """A preset with axes and what was changed in it. An axis keeps its key; its values change."""

    def __init__(self, source: str, mapping: Mapping[str, Any]) -> None:
        self._section = mapping.get(SECTION)
        axes = self._section.get("axes") if isinstance(self._section, Mapping) else None
        self.axes: Mapping[str, Any] = axes if isinstance(axes, Mapping) else {}
        super().__init__(source, {k: v for k, v in mapping.items() if k != SECTION})
        self._initial = self._valid

    def set(self, path: str, text: str) -> bool:
        """As of a run; an axis drops no options, for each cell has its own."""
        if path not in self.axes:
            return super().set(path, text)
        if self.text(path) == text:
            return False
        self.edits[path] = text
        self._checked = None
        return True

    def text(self, path: str) -> str:
        """What stands in a field; of an axis, the list of its values."""
        if path not in self.axes:
            return super().text(path)
        return self.edits.get(path) or text_of(self.axes[path])

    def assignments(self) -> list[str]:
        """The ``--set`` texts: what stands otherwise than in the preset."""
        changed = {
            path: text
            for path, text in self.edits.items()
            if path not in self.axes and text != text_of(value_at(self._initial, path))
        }
        return ordered(changed)

    def axis_texts(self) -> list[str]:
        """The ``--axis`` texts: axes whose values are others than the preset's."""
        found = []
        for path in (key for key in self.axes if key in self.edits):
            values = _values(self.edits[path])
            if values is not None and values != self.axes[path]:
                found.append(f"{path}={text_of(values)[1:-1]}")
        return found

    def changed(self) -> frozenset[str]:
        """Paths of the fields that differ from the preset."""
        return super().changed() | {text.partition("=")[0] for text in self.axis_texts()}

    def preset_text(self, name: str) -> str:
        """The sweep as a preset file, with its axes."""
        super().preset_text(name)  # whether the name will do
        sweep = self.sweep()
        assert sweep is not None  # there is a spec, so there are no problems
        axes = {key: list(values) for key, values in sweep.axes.items()}
        plain = {**sweep.base, "name": name, SECTION: {"axes": axes}}
        text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        return text

    def sweep(self) -> SweepSpec | None:
        """The sweep as it stands, None while there are problems."""
        checked = self.check()
        return checked.sweep if isinstance(checked, CheckedSweep) else None

    def _command_words(self) -> list[str]:
        words = ["prunectl", "sweep", self.source]
        for text in self.axis_texts():
            words += ["--axis", text]
        return words

    def _look(self) -> Checked:
        problems: list[Problem] = []
        axes, edits = dict(self.axes), {}
        for path, text in self.edits.items():
            values = _values(text)
            if not is_yaml(text):
                problems.append(Problem(path, f"{path}: this is not valid YAML"))
            elif path not in self.axes:
                edits[path] = text
            elif values is None:
                problems.append(Problem(path, f"{path}: give a list, such as [5, 10]"))
            else:
                axes[path] = values
        mapping: Mapping[str, Any] = self.base
        try:
            mapping = override(self.base, ordered(edits))
            section = {**self._section, "axes": axes} if self.axes else self._section  # type: ignore[dict-item]  # a YAML mapping of mixed values
            sweep = parse_sweep({**self.base, SECTION: section}, ordered(edits))
            spec = sweep.first()
            if sweep.count <= _CHECKED_WHOLE:
                sweep.cells()
            if not problems:
                return CheckedSweep(sweep, spec, spec.to_dict(), (), list(axes))
        except SpecError as error:
            told = [text.removeprefix("axis ") for text in error.problems]
            problems += [Problem(path_of(text), text) for text in told]
        except PrunectlError as error:
            problems.append(Problem("", str(error)))
        values_now = merged(self._valid, mapping)
        return CheckedSweep(None, None, values_now, tuple(problems), list(axes))


def open_form(preset: str) -> Form:
    """The form of a preset name or path: of a sweep where it has axes. UserError when it cannot be
    read."""
    mapping, _ = load_mapping(preset)
    return SweepForm(preset, mapping) if SECTION in mapping else Form(preset, mapping)


def _values(text: str) -> list[Any] | None:
    """The values of an axis; None for what is no list."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return None
    return found if isinstance(found, list) else None
