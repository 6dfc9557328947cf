"""What a group of keys of a spec is, with a plug-in's options or without."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from core.registry import Kind


class Section(BaseModel):
    """A group of keys. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PluginSection(Section):
    """A section that names a plug-in and takes its options as further keys."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    kind: ClassVar[Kind]
    name_key: ClassVar[str] = "name"

    @property
    def params(self) -> dict[str, Any]:
        """The plug-in's own options, defaults filled in."""
        return dict(self.__pydantic_extra__ or {})
