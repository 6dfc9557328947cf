"""The spec as a form, without a screen: its fields, what was edited, what is wrong with it.

A form is a preset and edits, each the text of a ``--set``: what it launches and what the command
line shown beside it launches are the same by construction.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core import registry
from core.errors import PrunectlError, UserError
from core.files import disk_errors, write_atomic
from core.runs import runs_folder
from core.section import PluginSection
from core.spec import Spec
from core.spec_load import SpecError, parse_spec, read_yaml
from core.spec_set import override
from prunectl.presets import all_presets, find_preset, folders
from prunectl.tui.fields import Field, fields_of, is_yaml, text_of


@dataclass(frozen=True)
class Problem:
    """What is wrong, and at which field; path "" is the form as a whole."""

    path: str
    text: str


class Checked:
    """A form looked at as it stands."""

    def __init__(
        self, spec: Spec | None, values: Mapping[str, Any], problems: tuple[Problem, ...]
    ) -> None:
        self.spec = spec
        """The complete spec, None while there are problems."""
        self.values = values
        """What the fields hold: the spec's values or, while it is none, the last ones it had with
        what was written since."""
        self.problems = problems

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """All fields, in reading order; which there are depends on the plug-ins named."""
        return tuple(fields_of(self.values))

    def sections(self) -> list[str]:
        """Sections that have a field, in reading order."""
        return list(dict.fromkeys(field.section for field in self.fields))

    def of_section(self, section: str) -> list[Field]:
        """The fields of a section."""
        return [field for field in self.fields if field.section == section]

    def at(self, field: Field) -> list[str]:
        """The problems to be shown at a field."""
        return [p.text for p in self.problems if self._home(p.path) == field.path]

    def faulty(self, section: str) -> bool:
        """Whether a field of the section has a problem."""
        own = {field.path for field in self.of_section(section)}
        return any(self._home(p.path) in own for p in self.problems)

    def _home(self, path: str) -> str | None:
        """The field a problem belongs to: the longest key it begins with, else the first below."""
        paths = [field.path for field in self.fields]
        above = [p for p in paths if path == p or path.startswith(p + ".")]
        below = [p for p in paths if path and p.startswith(path + ".")]
        return max(above, key=len) if above else (below[0] if below else None)


class Form:
    """A preset and what was changed in it."""

    def __init__(self, source: str, mapping: Mapping[str, Any]) -> None:
        self.source = source
        """The preset's name or the path of its file, as a command line names it."""
        self.base = dict(mapping)
        self.edits: dict[str, str] = {}
        self._valid: Mapping[str, Any] = {}
        self._checked: Checked | None = None
        self.check()

    @classmethod
    def open(cls, preset: str) -> Form:
        """The form of a preset name or path. UserError when it cannot be read."""
        path = find_preset(preset)
        mapping = read_yaml(path)
        mapping.setdefault("name", path.stem)
        return cls(preset, mapping)

    def set(self, path: str, text: str) -> bool:
        """Write ``text`` (YAML) into a field; naming another plug-in drops the former's options.
        False when that is what stands there."""
        if self.text(path) == text:
            return False
        self.edits[path] = text
        self._checked = None
        section, _, key = path.partition(".")
        if _plugin_key(section) == key:
            self._forget_options(section, path)
        elif path == "score.preset":
            self._apply_published(text)
        return True

    def reset(self, path: str) -> None:
        """Back to what the preset says."""
        if self.edits.pop(path, None) is not None:
            self._checked = None

    def text(self, path: str) -> str:
        """What stands in a field: what was typed, else its value when the form was last valid."""
        if self.edits.get(path, "null") != "null":  # of a null the value it stands for is shown
            return self.edits[path]
        return text_of(value_at(self.check().values, path))

    def check(self) -> Checked:
        """Parse it all again, if anything changed."""
        if self._checked is None:
            self._checked = self._look()
            if self._checked.spec is not None:
                self._valid = self._checked.values
        return self._checked

    def assignments(self) -> list[str]:
        """The ``--set`` texts that make a difference, plug-in names first."""
        whole = self.check().spec
        needed = dict(self.edits)
        if whole is None:  # one by one, as far as that can be said
            bare = _parsed(self.base, [])
            alone = {k: _parsed(self.base, [f"{k}={v}"]) for k, v in needed.items()}
            return ordered({k: needed[k] for k, spec in alone.items() if not bare or spec != bare})
        for path in self.edits:
            less = {k: v for k, v in needed.items() if k != path}
            if _parsed(self.base, ordered(less)) == whole:
                needed = less
        return ordered(needed)

    def changed(self) -> frozenset[str]:
        """Paths of the fields that differ from the preset."""
        return frozenset(text.partition("=")[0] for text in self.assignments())

    def command(self, runs_dir: Path | None = None) -> str:
        """The command line that starts the same run, quoted for a POSIX shell."""
        words = self._command_words()
        for assignment in self.assignments():
            words += ["--set", assignment]
        if runs_dir is not None and runs_folder(runs_dir) != runs_folder():
            words += ["--runs-dir", str(runs_dir)]
        return shlex.join(words)

    def preset_text(self, name: str) -> str:
        """The form as a preset file of that name. UserError for problems, and a name that cannot
        be."""
        spec = self.check().spec
        if spec is None:
            raise UserError("the form has problems", "mend them, then save it")
        try:
            return parse_spec({**spec.to_dict(), "name": name}).to_yaml()
        except SpecError:
            what = f"'{name}' cannot be the name of a preset"
            todo = "letters, digits, dot, dash and underscore, at most 60"
            raise UserError(what, todo) from None

    def _command_words(self) -> list[str]:
        return ["prunectl", "run", self.source]

    def _look(self) -> Checked:
        problems: list[Problem] = []
        good = {}
        for path, text in self.edits.items():
            if is_yaml(text):
                good[path] = text
            else:
                problems.append(Problem(path, f"{path}: this is not valid YAML"))
        mapping: dict[str, Any] = self.base
        spec = None
        try:
            mapping = override(self.base, ordered(good))
            spec = parse_spec(mapping, self.source)
        except SpecError as error:
            problems += [Problem(path_of(text), text) for text in error.problems]
        except PrunectlError as error:
            problems.append(Problem("", str(error)))
        if spec is not None and not problems:
            return Checked(spec, spec.to_dict(), ())
        return Checked(None, merged(self._valid, mapping), tuple(problems))

    def _apply_published(self, preset: str) -> None:
        """Null lets the settings of a score's preset through, where the file writes its own."""
        name = self.text("score.name")
        known = registry.describe("score", name).constants.get("PRESETS", {})
        for path in [p for p in self.edits if p.startswith("score.window")]:
            del self.edits[path]
        for key in known.get(preset, ()):
            self.edits[f"score.{key}"] = "null"
        self._checked = None

    def _forget_options(self, section: str, named: str) -> None:
        fields = {f.path for f in self.check().of_section(section)}
        settings = (f"{section}.preset", f"{section}.record", f"{section}.window")
        for path in [p for p in self.edits if p.startswith(section + ".") and p != named]:
            if path not in fields or (section == "score" and path.startswith(settings)):
                del self.edits[path]
                self._checked = None


def save_preset(form: Form, name: str, *, replace: bool = False) -> Path:
    """Write the form as a preset of the user's; the file. UserError for a name that cannot be."""
    text = form.preset_text(name)
    if name.endswith((".yaml", ".yml")):
        raise UserError(f"'{name}' would be taken for a file", "leave its ending out")
    folder = dict(folders())["user"]
    file = folder / f"{name}.yaml"
    if file.exists() and not replace:
        raise FileExistsError(f"there is a preset {name} of yours already")
    changes = ", ".join(" ".join(change.split()) for change in form.assignments())
    about = f"# From {Path(form.source).name}" + (f": {changes}" if changes else "") + "\n\n"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(file, (about + text).encode())
    return file


def preset_choices() -> list[tuple[str, str]]:
    """Name and first words of every preset."""
    return [(preset.name, preset.about()) for preset in all_presets()]


def ordered(edits: Mapping[str, str]) -> list[str]:
    """``--set`` texts of edits: names of plug-ins first, sections in reading order."""

    def rank(path: str) -> tuple[bool, int]:
        section, _, key = path.partition(".")
        names = list(Spec.model_fields)
        return _plugin_key(section) != key, names.index(section) if section in names else 0

    return [f"{path}={edits[path]}" for path in sorted(edits, key=rank)]


def _parsed(base: Mapping[str, Any], assignments: list[str]) -> Spec | None:
    try:
        return parse_spec(override(base, assignments))
    except PrunectlError:
        return None


def path_of(problem: str) -> str:
    """The key that a problem begins with, "" when it begins with none."""
    head, colon, _ = problem.partition(": ")
    return head if colon and " " not in head else ""


def _plugin_key(section: str) -> str | None:
    info = Spec.model_fields.get(section)
    kind = info.annotation if info else None
    plugin = isinstance(kind, type) and issubclass(kind, PluginSection)
    return kind.name_key if plugin else None  # type: ignore[union-attr]  # a plug-in section


def value_at(mapping: Mapping[str, Any], path: str) -> Any:
    """What stands at ``section.key``, None where nothing does."""
    node: Any = mapping
    for part in path.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with another laid over it, sections into each other."""
    both = dict(base)
    for key, value in over.items():
        old = both.get(key)
        deep = isinstance(old, Mapping) and isinstance(value, Mapping)
        both[key] = merged(old, value) if deep else value  # type: ignore[arg-type]  # two mappings
    return both
