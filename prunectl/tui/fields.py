"""The fields of a form, made from the spec's sections and the options of the plug-ins it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from core import registry
from core.needs import MEASURED
from core.section import PluginSection, Section
from core.spec import Spec
from core.units import Duration, Seconds

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


def fields_of(mapping: Mapping[str, Any]) -> Iterator[Field]:
    """All fields, in reading order; ``mapping`` says which plug-ins are named."""
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
        if inner and str in _parts(info.annotation):
            yield Field(path, section, label, _help(info), "text", takes="text or {key: value}")
        elif inner and (below is not None or not _optional(info.annotation)):
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
        measured = (MEASURED,) if given.get(key) == MEASURED else ()
        return (*registry.names(model.kind), *measured)
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


def is_yaml(text: str) -> bool:
    """Whether it parses."""
    try:
        yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that is none
        return False
    return True


def _loads_as(text: str, value: Any) -> bool:
    return text == text.strip() and is_yaml(text) and bool(yaml.safe_load(text) == value)
