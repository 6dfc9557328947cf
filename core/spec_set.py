"""Single keys of a mapping set to other values, before it is read as a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from core import registry
from core.errors import UserError
from core.section import PluginSection
from core.spec_names import SECTIONS, registered

_NAMING = frozenset(
    f"{name}.{section.name_key}"
    for name, section in SECTIONS.items()
    if issubclass(section, PluginSection)
)


def override(mapping: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Apply ``section.key=value`` texts (values in YAML). Naming another plug-in drops the options
    that only the former one knows."""
    result = {k: dict(v) if isinstance(v, Mapping) else v for k, v in mapping.items()}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise UserError(f"--set {text!r} is not key=value", "such as --set train.epochs=20ep")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {text!r}: the value is not valid YAML") from None
        _assign(result, key.strip().split("."), parsed, f"--set {text!r}")
    return result


def assigned(mapping: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with ``section.key`` paths set to plain values. Names of plug-ins are set first, so
    that they do not drop an option that is set as well."""
    result = {k: dict(v) if isinstance(v, Mapping) else v for k, v in mapping.items()}
    for key in sorted(values, key=lambda k: k not in _NAMING):
        _assign(result, key.split("."), values[key], key)
    return result


def _assign(mapping: dict[str, Any], path: list[str], value: Any, text: str) -> None:
    section = SECTIONS.get(path[0])
    old = mapping.get(path[0])
    plugin = section is not None and issubclass(section, PluginSection) and section
    if plugin and path[1:] == [plugin.name_key] and isinstance(old, dict):
        _drop_foreign_options(old, plugin, str(value))
    node = mapping
    for part in path[:-1]:
        inner = node.get(part)
        if inner is None:
            inner = {}
        if not isinstance(inner, Mapping):
            raise UserError(f"{text}: '{part}' has no keys below it")
        node[part] = dict(inner)
        node = node[part]
    node[path[-1]] = value


def _drop_foreign_options(section: dict[str, Any], kind: type[PluginSection], name: str) -> None:
    name = registered(kind, name)
    if section.get(kind.name_key) == name or registry.check_name(kind.kind, name):
        return
    own = set(kind.model_fields) | registry.param_names(kind.kind, name)
    for key in [k for k in section if k not in own]:
        del section[key]
    if kind.kind == "score":  # a preset's settings belong to the score it was written for
        for key in ("preset", "record", "window"):
            section.pop(key, None)
