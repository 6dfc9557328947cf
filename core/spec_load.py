"""From a YAML mapping to a complete :class:`core.spec.Spec`, with every problem found at once.

Unknown keys name the nearest valid one; plug-in options are checked against the plug-in's own
declaration; what is left out is filled in (score presets, the retraining recipe), so nothing is
decided later and the saved spec says all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from core.errors import UserError
from core.spec import DataSpec, Spec
from core.spec_checks import contradictions, raw_contradictions
from core.spec_fill import embedding_source, fill, fill_plugin, plain_name
from core.spec_names import SECTIONS
from core.spec_problems import explain, unknown_in, unknown_keys


class SpecError(UserError):
    """One or many problems of a spec; ``problems`` lists them all."""

    def __init__(self, problems: list[str], where: str = "the spec") -> None:
        head = problems[0] if len(problems) == 1 else f"{len(problems)} problems in {where}:"
        tail = "" if len(problems) == 1 else "\n  - " + "\n  - ".join(problems)
        super().__init__(head + tail)
        self.problems = problems


def parse_spec(mapping: Mapping[str, Any], where: str = "the spec") -> Spec:
    """A complete spec from a plain mapping. Raises SpecError listing every problem."""
    if not isinstance(mapping, Mapping):
        raise SpecError([f"{where} is not a mapping of sections; see `prunectl presets`"], where)
    raw = {k: dict(v) if isinstance(v, Mapping) else v for k, v in mapping.items()}
    for section in SECTIONS:
        plain_name(section, raw.get(section))
    problems = list(embedding_source(raw.get("embed")))
    given = raw.get("retrain")
    own = frozenset(given) if isinstance(given, dict) else frozenset()
    problems += unknown_keys(raw)
    known = {k: v for k, v in raw.items() if k in Spec.model_fields}
    problems += list(fill(known))
    problems += list(raw_contradictions(known))
    try:
        spec = Spec.model_validate(known)
    except ValidationError as error:
        raise SpecError(_once([*problems, *explain(error)], own), where) from None
    problems = problems or list(contradictions(spec))
    if problems:
        raise SpecError(_once(problems, own), where)
    return spec


def parse_data(section: Mapping[str, Any]) -> DataSpec:
    """A ``data`` section by itself, options filled in. Raises SpecError listing every problem."""
    raw = dict(section)
    problems = list(unknown_in("data", DataSpec, raw))
    problems += list(fill_plugin("data", DataSpec, raw))
    try:
        data = DataSpec.model_validate(raw)
    except ValidationError as error:
        problems += [f"data.{line}" for line in explain(error)]
        raise SpecError(problems, "data") from None
    if problems:
        raise SpecError(problems, "data")
    return data


def _once(problems: list[str], own: frozenset[Any]) -> list[str]:
    """Without the problems of ``retrain`` that are those of ``train``, whose key it inherited."""

    def inherited(problem: str) -> bool:
        if problem == "retrain: missing":  # never to be written: train is the one in fault
            return True
        key = problem.removeprefix("retrain.").partition(":")[0].partition(".")[0]
        return problem.startswith("retrain.") and problem[2:] in problems and key not in own

    return [p for p in problems if not inherited(p)]


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping. A missing or malformed file: UserError naming line and column."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{path} is not valid YAML{at}: {error.problem}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{path} holds no mapping of sections", "start from a shipped preset")
    return loaded
