"""The spec as a form, without a screen: its fields, what was edited, what is wrong with it.

A form is a preset and edits, each the text of a ``--set``: what it launches and what the command
line shown beside it launches are the same by construction.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from core import registry
from core.errors import PrunectlError, UserError
from core.files import disk_errors, write_atomic
from core.runs import runs_folder
from core.spec import PluginSection, Section, Spec
from core.spec_load import SpecError, override, parse_spec, read_yaml
from core.units import Duration, Seconds
from prunectl.presets import all_presets, find_preset, folders

GENERAL = "run"
"""The section of the keys that stand alone."""


@dataclass(frozen=True)
class Field:
    """One key of the spec."""

    path: str
    section: str
    label: str
    help: str
    kind: Literal["select", "switch", "text"]
    choices: tuple[str, ...] = ()
    """The values of a select, as YAML."""
    takes: str = ""
    """What may be written, such as ``whole number, at least 1``."""


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
        return tuple(_fields(self.values))

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
        node: Any = self.check().values
        for part in path.split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        return text_of(node)

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
            return _ordered({k: needed[k] for k, spec in alone.items() if not bare or spec != bare})
        for path in self.edits:
            less = {k: v for k, v in needed.items() if k != path}
            if _parsed(self.base, _ordered(less)) == whole:
                needed = less
        return _ordered(needed)

    def changed(self) -> frozenset[str]:
        """Paths of the fields that differ from the preset."""
        return frozenset(text.partition("=")[0] for text in self.assignments())

    def command(self, runs_dir: Path | None = None) -> str:
        """The command line that starts the same run, quoted for a POSIX shell."""
        words = ["prunectl", "run", self.source]
        for assignment in self.assignments():
            words += ["--set", assignment]
        if runs_dir is not None and runs_folder(runs_dir) != runs_folder():
            words += ["--runs-dir", str(runs_dir)]
        return shlex.join(words)

    def _look(self) -> Checked:
        problems: list[Problem] = []
        good = {}
        for path, text in self.edits.items():
            if _is_yaml(text):
                good[path] = text
            else:
                problems.append(Problem(path, f"{path}: this is not valid YAML"))
        mapping: dict[str, Any] = self.base
        spec = None
        try:
            mapping = override(self.base, _ordered(good))
            spec = parse_spec(mapping, self.source)
        except SpecError as error:
            problems += [Problem(_path_of(text), text) for text in error.problems]
        except PrunectlError as error:
            problems.append(Problem("", str(error)))
        if spec is not None and not problems:
            return Checked(spec, spec.to_dict(), ())
        return Checked(None, _merged(self._valid, mapping), tuple(problems))

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
    spec = form.check().spec
    if spec is None:
        raise UserError("the form has problems", "mend them, then save it")
    try:
        renamed = parse_spec({**spec.to_dict(), "name": name})
    except SpecError:
        what = f"'{name}' cannot be the name of a preset"
        raise UserError(what, "letters, digits, dot, dash and underscore, at most 60") from None
    if name.endswith((".yaml", ".yml")):
        raise UserError(f"'{name}' would be taken for a file", "leave its ending out")
    folder = dict(folders())["user"]
    file = folder / f"{name}.yaml"
    if file.exists() and not replace:
        raise FileExistsError(f"there is a preset {name} of yours already")
    changes = ", ".join(" ".join(text.split()) for text in form.assignments())
    about = f"# From {Path(form.source).name}" + (f": {changes}" if changes else "") + "\n\n"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(file, (about + renamed.to_yaml()).encode())
    return file


def preset_choices() -> list[tuple[str, str]]:
    """Name and first words of every preset."""
    return [(preset.name, preset.about()) for preset in all_presets()]


def text_of(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, str) and _loads_as(value, value):
        return value
    if isinstance(value, float):
        return repr(value)
    text: str = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=100_000, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("...").removesuffix("\n")


def _is_yaml(text: str) -> bool:
    try:
        yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that is none
        return False
    return True


def _loads_as(text: str, value: Any) -> bool:
    return text == text.strip() and _is_yaml(text) and bool(yaml.safe_load(text) == value)


def _ordered(edits: Mapping[str, str]) -> list[str]:
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


def _path_of(problem: str) -> str:
    head, colon, _ = problem.partition(": ")
    return head if colon and " " not in head else ""


def _plugin_key(section: str) -> str | None:
    info = Spec.model_fields.get(section)
    kind = info.annotation if info else None
    plugin = isinstance(kind, type) and issubclass(kind, PluginSection)
    return kind.name_key if plugin else None  # type: ignore[union-attr]  # a plug-in section


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in over.items():
        old = both.get(key)
        deep = isinstance(old, Mapping) and isinstance(value, Mapping)
        both[key] = _merged(old, value) if deep else value  # type: ignore[arg-type]  # two mappings
    return both


def _fields(mapping: Mapping[str, Any]) -> Iterator[Field]:
    for key, info in Spec.model_fields.items():
        if not _section_in(info.annotation):
            yield from _leaf(key, GENERAL, key, info.annotation, info)
    for key, info in Spec.model_fields.items():
        if section := _section_in(info.annotation):
            given = mapping.get(key)
            yield from _walk(key, key, section, given if isinstance(given, Mapping) else {})


def _walk(
    section: str, prefix: str, model: type[Section], given: Mapping[str, Any]
) -> Iterator[Field]:
    for name, info in model.model_fields.items():
        key = info.alias or name
        path = f"{prefix}.{key}"
        label = path.partition(".")[2]
        inner = _section_in(info.annotation)
        below = given.get(key)
        if inner and (below is not None or not _optional(info.annotation)):
            yield from _walk(section, path, inner, below if isinstance(below, Mapping) else {})
        elif inner:
            yield Field(path, section, label, _help(info), "text", takes="null, or {key: value}")
        elif choices := _names(model, key, given):
            yield Field(path, section, label, _help(info), "select", choices)
        else:
            yield from _leaf(path, section, label, info.annotation, info)
    if issubclass(model, PluginSection):
        yield from _options(section, model, given)


def _names(model: type[Section], key: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The plug-ins a key may name, or the published settings of a score."""
    if not issubclass(model, PluginSection):
        return ()
    if key == model.name_key:
        return registry.names(model.kind)
    if model.kind == "score" and key == "preset":
        named = given.get("name")
        if named in registry.names("score"):
            return tuple(registry.describe("score", str(named)).constants.get("PRESETS", ()))
    return ()


def _options(section: str, model: type[PluginSection], given: Mapping[str, Any]) -> Iterator[Field]:
    default = model.model_fields[model.name_key].default
    named = given.get(model.name_key, default)
    if named not in registry.names(model.kind):
        return
    for param in registry.describe(model.kind, str(named)).params:
        info = FieldInfo(description=param.help)
        yield from _leaf(f"{section}.{param.name}", section, param.name, param.annotation, info)


def _leaf(path: str, section: str, label: str, annotation: Any, info: FieldInfo) -> Iterator[Field]:
    """The field of one value; none for what has only one possible value."""
    if annotation is bool:
        yield Field(path, section, label, _help(info), "switch", ("true", "false"))
        return
    parts = _parts(annotation)
    if all(p is NoneType or get_origin(p) is Literal for p in parts):
        values = [v for p in parts for v in (get_args(p) if p is not NoneType else (None,))]
        if len(values) > 1:
            choices = tuple(text_of(value) for value in values)
            yield Field(path, section, label, _help(info), "select", choices)
        return
    takes = " or ".join(dict.fromkeys(_takes(p) for p in parts))
    takes = "" if takes == "text" else takes  # says nothing
    limits = _limits(info)
    yield Field(
        path, section, label, _help(info), "text", takes=f"{takes}, {limits}" if limits else takes
    )


def _parts(annotation: Any) -> tuple[Any, ...]:
    united = get_origin(annotation) in (Union, UnionType)
    return get_args(annotation) if united else (annotation,)


def _optional(annotation: Any) -> bool:
    return NoneType in _parts(annotation)


def _section_in(annotation: Any) -> type[Section] | None:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


_WORDS: Mapping[Any, str] = {
    int: "whole number", float: "number", str: "text", bool: "true or false", NoneType: "null",
    Path: "path", Duration: "15ep or 2000st", Seconds: "600s or 10m",
}  # fmt: skip


def _takes(part: Any) -> str:
    if get_origin(part) is Literal:
        return " or ".join(text_of(value) for value in get_args(part))
    if get_origin(part) in (tuple, list):
        inner = get_args(part)[0]
        if get_origin(inner) is Literal:
            return "[" + ", ".join(text_of(v) for v in get_args(inner)) + "]"
        return f"[{_takes(inner)}, ...]"
    return _WORDS.get(part, "a value")


def _limits(info: FieldInfo) -> str:
    found: dict[str, Any] = {}
    for constraint in info.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if getattr(constraint, name, None) is not None:
                found[name] = getattr(constraint, name)
    spoken = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return ", ".join(f"{spoken[name]} {value:g}" for name, value in found.items())


def _help(info: FieldInfo) -> str:
    return " ".join((info.description or "").split())
