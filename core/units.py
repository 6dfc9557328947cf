"""Numbers that carry their unit: durations ("15ep", "2000st"), times ("600s"), prune rates, hashes.

A bare integer is never a duration: counting steps where epochs were meant is a bug that no test of
the loop can see.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

_DURATION = re.compile(r"^\s*(\d+)\s*(ep|st)\s*$")
_TIME = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h)\s*$")
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?\s*$", re.IGNORECASE)
_SIZE_FACTOR = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_TIME_FACTOR = {"s": 1.0, "m": 60.0, "h": 3600.0}


class _Text:
    """Shared pydantic wiring of the two types that are written as one word in YAML."""

    pattern = ""

    @classmethod
    def parse(cls, value: Any) -> Any:
        raise TypeError(f"{cls.__name__} cannot be parsed")  # overridden by both subclasses

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": cls.pattern}


@dataclass(frozen=True)
class Duration(_Text):
    """A length of training: ``value`` epochs (``ep``, passes over the ids) or steps (``st``)."""

    value: int
    unit: Literal["ep", "st"]

    pattern = r"^\d+(ep|st)$"

    @classmethod
    def parse(cls, value: Any) -> Duration:
        if isinstance(value, Duration):
            return value
        match = _DURATION.match(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"write a duration with its unit ('15ep', '2000st'), not {value!r}")
        number = int(match.group(1))
        if number < 1:
            raise ValueError("a duration is at least 1")
        return cls(number, "ep" if match.group(2) == "ep" else "st")

    def __str__(self) -> str:
        return f"{self.value}{self.unit}"

    def steps(self, samples: int, batch: int) -> int:
        """Optimiser steps for ``samples`` ids in batches of ``batch`` (the last may be smaller)."""
        per_epoch = steps_per_epoch(samples, batch)
        return self.value * per_epoch if self.unit == "ep" else self.value

    def epochs(self, samples: int, batch: int) -> int:
        """Whole epochs within this duration."""
        if self.unit == "ep":
            return self.value
        return self.value // steps_per_epoch(samples, batch)


@dataclass(frozen=True)
class Seconds(_Text):
    """A wall-clock time, written "600s", "10m" or "1h"."""

    value: float

    pattern = r"^\d+(\.\d+)?(s|m|h)$"

    @classmethod
    def parse(cls, value: Any) -> Seconds:
        if isinstance(value, Seconds):
            return value
        match = _TIME.match(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"write a time with its unit, such as '600s' or '10m', not {value!r}")
        return cls(float(match.group(1)) * _TIME_FACTOR[match.group(2)])

    def __str__(self) -> str:
        return f"{self.value:g}s"


def parse_size(text: str) -> int:
    """Bytes of a size with its unit: "512M", "2G", "1.5GB"; a K is 1024 bytes. Else ValueError."""
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(f"write a size with its unit, such as '512M' or '2G', not {text!r}")
    return int(Decimal(match.group(1)) * _SIZE_FACTOR[match.group(2).upper()])


def size_text(count: int, *, up: bool = False) -> str:
    """Bytes in whole M, as :func:`parse_size` reads them; ``up``: never less than ``count``."""
    return f"{-(-count // 2**20) if up else count // 2**20}M"


def steps_per_epoch(samples: int, batch: int) -> int:
    """Steps of one pass over ``samples`` ids; the last, smaller batch counts."""
    return -(-samples // batch)


def sample_passes(steps: int, samples: int, batch: int) -> int:
    """Samples shown in ``steps`` steps over ``samples`` ids in batches of ``batch``."""
    whole, rest = divmod(steps, steps_per_epoch(samples, batch))
    return whole * samples + min(rest * batch, samples)


@lru_cache(maxsize=4096)
def n_keep(rate: float, total: int) -> int:
    """round((1 - rate) * total), half to even on the exact decimal the user wrote.

    ``rate`` is the *pruned* fraction. Floating point would turn 0.9 of 10 into 0.99999.
    """
    exact = (Decimal(1) - Decimal(str(rate))) * total
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@lru_cache(maxsize=4096)
def round_share(fraction: float, total: int) -> int:
    """round(fraction * total), half to even on the exact decimal."""
    exact = Decimal(str(fraction)) * total
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON-able value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
