"""Makes the JSON Schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from core import registry
from core.events import TYPES
from core.schemas.summary import SummaryDocument
from core.section import PluginSection
from core.spec import Spec

FOLDER = Path(__file__).parent


class Envelope(BaseModel):
    """What every journal line has around its event."""

    v: Literal[1]
    seq: int
    ts: float
    type: str


def texts() -> dict[str, str]:
    """File name -> JSON text of every schema."""
    schemas = {
        "spec.schema.json": spec_schema(),
        "summary.schema.json": TypeAdapter(SummaryDocument).json_schema(),
        "events.schema.json": events_schema(),
    }
    return {name: json.dumps(s, indent=1, sort_keys=True) + "\n" for name, s in schemas.items()}


def spec_schema() -> dict[str, Any]:
    """The spec; sections that name a plug-in list the shipped names and all their options."""
    schema = Spec.model_json_schema()
    for field in Spec.model_fields.values():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, PluginSection):
            about = schema["$defs"][section.__name__]
            names = registry.names(section.kind)
            about["properties"][section.name_key]["examples"] = list(names)
            options = {p.name for n in names for p in registry.describe(section.kind, n).params}
            for option in sorted(options - set(about["properties"])):
                about["properties"][option] = {}
            about["additionalProperties"] = False
    return schema


def events_schema() -> dict[str, Any]:
    """One journal line: the envelope and one of the events."""
    lines = []
    for word, event in TYPES.items():
        plain = TypeAdapter(event).json_schema()
        line = Envelope.model_json_schema()
        line["properties"]["type"] = {"const": word}
        line["title"] = f"{event.__name__}Line"
        line["properties"] |= plain["properties"]
        line["required"] += plain.get("required", [])
        line["description"] = plain.get("description", "")
        lines.append(line)
    return {"title": "A line of events.jsonl", "oneOf": lines}
