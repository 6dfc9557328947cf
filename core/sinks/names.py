"""MLflow's limits on names, texts and numbers, applied before anything is sent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

MAX_KEY, MAX_PARAM, MAX_TAG = 250, 6000, 5000
MAX_DIGEST = 36
MAX_METRIC_KEYS = 40
_CUT = " ... (cut)"
_REFUSED = re.compile(r"[^\w.\- :/]")


def key(text: str) -> str:
    """A name MLflow accepts: letters, digits and ``_ - . space : /``, no path tricks."""
    parts = [p for p in _REFUSED.sub("_", text).split("/") if p.strip(". ")]
    return "/".join(parts)[:MAX_KEY] or "unnamed"


def text_of(value: Any, limit: int) -> str:
    """A value as text: strings as they are, the rest as JSON, cut visibly when too long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def number(value: float | None) -> float:
    """A value MLflow keeps as it is: undefined and infinite become NaN."""
    return float(value) if value is not None and math.isfinite(value) else math.nan


def flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested sections as ``section.key: text``."""
    found: dict[str, str] = {}
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[key(f"{prefix}{name}")] = text_of(value, MAX_PARAM)
    return found
