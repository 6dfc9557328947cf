"""The params and the name of an MLflow run, from the specs that asked for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.sinks import names

NONE = "none"
Spec = Mapping[str, Any]


def params_of(spec: Spec, kind: str, child: str, seed: int) -> dict[str, str]:
    """Every param on every child, so that each can be filtered and compared by itself. What a
    method does not use is ``none``: a trial shared by several specs must fit them all.

    ``child`` is a trial's id (``s0-knn-top_k-r0.3000``); ``kind`` trial or score.
    """
    method, policy, rate = _parts_of(child) if kind == "trial" else (NONE, NONE, NONE)
    scored = kind == "score" or method not in ("random", "full")
    extrapolator = _section(spec, "extrapolate", "name")
    fraction = (spec.get("subset") or {}).get("fraction")
    return {
        "dataset": _section(spec, "data", "name"),
        "paradigm": _section(spec, "paradigm", "name"),
        "model": _section(spec, "model", "name"),
        "score": _section(spec, "score", "name") if scored else NONE,
        "extrapolator": extrapolator if method == extrapolator else NONE,
        "method": method,
        "policy": policy,
        "prune_rate": rate,
        "subset_fraction": names.text_of(NONE if fraction is None else fraction, names.MAX_PARAM),
        "seed": str(seed),
    }


def united(options: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all have in common; ``none`` where they differ, because then it was not used."""
    first, *others = options
    return {k: v if all(o.get(k) == v for o in others) else NONE for k, v in first.items()}


def name_of(kind: str, params: Mapping[str, str]) -> str:
    """Short, and different within its first ten characters, where charts cut labels."""
    if kind == "score":
        return f"score-s{params['seed']}"
    policy = "" if params["policy"] == NONE else f"-{params['policy']}"
    return f"{params['prune_rate']}-s{params['seed']}-{params['method']}{policy}"


def main_score(spec: Spec) -> str:
    """The score that is pruned by."""
    return _section(spec, "score", "name")


def own_method(spec: Spec) -> str:
    """The spec's own method: its extrapolator."""
    return _section(spec, "extrapolate", "name")


def _section(spec: Spec, section: str, key: str) -> str:
    return names.text_of((spec.get(section) or {}).get(key), names.MAX_PARAM)


def _parts_of(trial: str) -> tuple[str, str, str]:
    """Method, policy and rate of a trial id, ``s0-knn-top_k-r0.3000``."""
    _, _, rest = trial.partition("-")
    middle, _, rate = rest.rpartition("-r")
    method, _, policy = middle.rpartition("-")
    return method, policy, f"{float(rate):g}"
