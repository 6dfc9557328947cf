"""Problems of a mapping that is no spec, in the words of its keys: unknown ones, wrong values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from core import registry
from core.errors import nearest
from core.section import PluginSection, Section
from core.spec import Spec
from core.spec_names import SECTIONS, default_name


def unknown_keys(raw: dict[str, Any]) -> Iterator[str]:
    """What is no key of a spec or of its sections; from the latter it is taken out."""
    for key in list(raw):
        if key == "sweep":
            yield "sweep: a sweep is many runs; start it with `prunectl sweep`"
        elif key not in Spec.model_fields:
            yield f"{key}: no such section; {nearest(str(key), Spec.model_fields)}"
    for name, section in SECTIONS.items():
        if isinstance(raw.get(name), dict):
            yield from unknown_in(name, section, raw[name])


def unknown_in(prefix: str, section: type[BaseModel], given: dict[Any, Any]) -> Iterator[str]:
    """The same for one section; its own options a plug-in says itself."""
    valid = {f.alias or n: f.annotation for n, f in section.model_fields.items()}
    if issubclass(section, PluginSection):
        chosen = given.get(section.name_key, default_name(section))
        if registry.check_name(section.kind, str(chosen)):
            valid |= dict.fromkeys(given)  # cannot tell: the wrong name itself is reported
        else:
            valid |= dict.fromkeys(registry.param_names(section.kind, str(chosen)))
    for key in list(given):
        path = f"{prefix}.{key}"
        if key not in valid:
            yield f"{path}: no such key; {nearest(str(key), valid)}"
            del given[key]
        elif isinstance(given[key], Mapping) and (inner := _section_of(valid[key])):
            given[key] = dict(given[key])
            yield from unknown_in(path, inner, given[key])


def _section_of(annotation: Any) -> type[Section] | None:
    options = [annotation, *getattr(annotation, "__args__", ())]
    for option in options:
        if isinstance(option, type) and issubclass(option, Section):
            return option
    return None


def explain(error: ValidationError) -> Iterator[str]:
    """What pydantic found wrong, a line each: ``section.key: what (got value)``."""
    for item in error.errors():
        if item["loc"][-1] == "str" and isinstance(item.get("input"), Mapping):
            continue  # of the two things embed.from can be it is meant to be the other
        place = [str(p) for p in item["loc"] if p not in ("function-plain[parse()]", "ModelSpec")]
        path = ".".join(p for p in place if not p.startswith(("literal[", "function-")))
        if item["type"] == "missing":
            yield f"{path}: missing"
        elif item["type"] == "model_type":
            yield f"{path}: give a mapping of keys (got {item['input']!r})"
        elif item["type"] == "value_error":  # our own words, which say what was given
            yield f"{path}: {item['msg'].removeprefix('Value error, ')}"
        else:
            shown = item.get("input")
            given_text = "a mapping" if isinstance(shown, Mapping) else repr(shown)
            yield f"{path}: {item['msg'].lower()} (got {given_text})"
