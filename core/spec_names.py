"""The sections of a spec by name, and the plug-ins that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import registry
from core.needs import score_kind
from core.section import PluginSection, Section
from core.spec import Spec

SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Spec.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


def default_name(section: type[PluginSection]) -> Any:
    """The plug-in that a section names when it says nothing; pydantic's undefined: it must."""
    return section.model_fields[section.name_key].default


def registered(kind: type[PluginSection], name: str) -> str:
    """The name as it is registered: with underscores where it was written with hyphens."""
    known, plain = registry.names(kind.kind), name.replace("-", "_")
    return plain if name not in known and plain in known else name


def named_kind(section: Any) -> str | None:
    """The kind of the score that a raw section names; None where it names none."""
    name = section.get("name") if isinstance(section, Mapping) else None
    return score_kind(name) if name in registry.names("score") else None
