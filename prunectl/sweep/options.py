"""How a sweep is to be worked on; kept in its folder so that ``resume`` does the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Options:
    """None where nothing was asked for."""

    jobs: int | None = None
    devices: str | None = None
    """``0,1`` (CUDA devices), or ``cpu`` or ``mps``."""
    slots_per_device: int | None = None
    max_failures: int | None = None
    """Begin nothing more after so many failed cells."""
    cell_timeout: float | None = None
    """Seconds one task of a cell may take."""
    retry_failed: bool = False
    """Try failed cells again; holds for one session."""

    def to_dict(self) -> dict[str, Any]:
        """What ``options.json`` holds."""
        plain = asdict(self)
        plain.pop("retry_failed")
        return plain

    @staticmethod
    def of(plain: Mapping[str, Any], *, retry_failed: bool = False) -> Options:
        """From ``options.json``; keys of other versions are passed over."""
        known = {f.name for f in fields(Options)}
        return Options(**{k: v for k, v in plain.items() if k in known}, retry_failed=retry_failed)

    def changed(self, other: Options) -> Options:
        """These, with what the other asks for."""
        wanted = {k: v for k, v in asdict(other).items() if v not in (None, False)}
        return Options(**{**asdict(self), **wanted})

    def device_names(self) -> list[str] | None:
        """Devices by torch's names, None for all there are."""
        if self.devices is None:
            return None
        parts = [part.strip() for part in self.devices.split(",") if part.strip()]
        return [f"cuda:{part}" if part.isdigit() else part for part in parts]
