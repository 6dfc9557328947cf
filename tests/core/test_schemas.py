"""The generated JSON Schemas are fresh, and what the engine writes fits them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from core.schemas.generate import FOLDER, texts
from core.schemas.summary import SummaryDocument

JOURNALS = Path(__file__).parents[1] / "journals"


@pytest.mark.parametrize("name", sorted(texts()))
def test_schema_is_fresh(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == texts()[name], "run `make schemas`"


@pytest.mark.parametrize("run", ["finished", "resumed", "diverged"])
def test_recorded_summaries_fit(run: str) -> None:
    summary = json.loads((JOURNALS / run / "summary.json").read_text(encoding="utf-8"))
    TypeAdapter(SummaryDocument).validate_python(summary, strict=True)


def test_a_missing_or_an_unknown_key_does_not_fit() -> None:
    summary = json.loads((JOURNALS / "finished" / "summary.json").read_text(encoding="utf-8"))
    for broken in ({**summary, "extra": 1}, {k: v for k, v in summary.items() if k != "cost"}):
        with pytest.raises(ValidationError):
            TypeAdapter(SummaryDocument).validate_python(broken)
