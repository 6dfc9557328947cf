"""What the plug-ins a spec names read, found without importing them: the plan asks before it runs.

A score file says its ``KIND``: ``trained`` (watches a training of the subset; the default),
``embedded`` (made of the embeddings of all samples) or ``given`` (needs no net). The last two give
every sample a score, so there is nothing to extrapolate: the method is called ``measured`` then.
A policy file says in ``NEEDS`` what it reads beside the score: ``labels``, ``embeddings``,
``neighbors`` or the name of a further score; ``COMPANION`` names the option that names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Literal

from core import registry
from core.spec import Spec

MEASURED = "measured"
"""Stands for the extrapolator where every sample has a score of its own."""
SAMPLERS = ("rs2", "infobatch")
"""Baselines that keep no set of samples: their retraining draws every epoch anew."""
ScoreKind = Literal["trained", "embedded", "given"]
_ABOUT_SAMPLES = ("labels", "embeddings", "neighbors")


def score_kind(name: str) -> ScoreKind:
    """How a registered score comes about."""
    kind: ScoreKind = registry.describe("score", name).constants.get("KIND", "trained")
    return kind


def step_passes(spec: Spec) -> int:
    """Passes a training step makes with every sample: one, and those of an attack."""
    return 1 + _sum_of("EXTRA_PASSES", spec)


def attack_passes(spec: Spec) -> int:
    """Forward and backward passes that an evaluation makes with a sample, beyond a forward one."""
    return _sum_of("ATTACK_PASSES", spec)


def _sum_of(constant: str, spec: Spec) -> int:
    """Sum of a paradigm's literal terms: see :mod:`core.paradigms.base`."""
    about, given = registry.describe("paradigm", spec.paradigm.name), spec.paradigm.params
    total = 0
    for term in about.constants.get(constant, ()):
        if isinstance(term, str):
            total += int(given[term])
        elif isinstance(term, tuple):
            total += prod(int(given[name]) for name in term)
        else:
            total += int(all(given[name] == value for name, value in term.items()))
    return total


def direction(name: str) -> Literal["high", "low"]:
    """Which end of a registered score is important, and kept."""
    end: Literal["high", "low"] = registry.describe("score", name).constants["DIRECTION"]
    return end


def policy_needs(policy: str) -> tuple[str, ...]:
    """Which of labels, embeddings and neighbors a registered policy reads."""
    needs = registry.describe("policy", policy).constants.get("NEEDS", ())
    return tuple(n for n in needs if n in _ABOUT_SAMPLES)


def companions(policy: str, params: dict[str, Any]) -> tuple[str, ...]:
    """Further scores that a policy reads with these options."""
    about = registry.describe("policy", policy).constants
    fixed = tuple(n for n in about.get("NEEDS", ()) if n not in _ABOUT_SAMPLES)
    chosen = params.get(about.get("COMPANION", ""))
    return (*fixed, str(chosen)) if chosen else fixed


def reads_dynamics(method: str, options: Mapping[str, Any]) -> bool:
    """Whether an extrapolator with these options reads cross-fitted nets; auto combines several."""
    methods = [method, *(options.get("methods") or ())]
    known = registry.names("extrapolator")
    return any(
        "dynamics" in registry.describe("extrapolator", name).constants.get("NEEDS", ())
        for name in methods
        if name in known
    )


def policy_neighbors(spec: Spec) -> int | None:
    """Neighbours of every sample that the policy reads; None: none."""
    if "neighbors" not in policy_needs(spec.prune.policy):
        return None
    return int(spec.prune.params["k"])


def graph_neighbors(spec: Spec) -> int | None:
    """Neighbours of every sample among all samples that extrapolator or policy read; None: none."""
    wanted = [k for k in (extrapolator_neighbors(spec), policy_neighbors(spec)) if k is not None]
    return max(wanted, default=None)


def extrapolator_neighbors(spec: Spec) -> int | None:
    """Neighbours that the spec's extrapolator reads; None: none."""
    if spec.extrapolate.name == MEASURED:
        return None
    return neighbors_read(spec.extrapolate.name, spec.extrapolate.params)


def extrapolator_dynamics(spec: Spec) -> bool:
    """Whether the spec's extrapolator reads cross-fitted nets."""
    method = spec.extrapolate.name
    return method != MEASURED and reads_dynamics(method, spec.extrapolate.params)


def neighbors_read(method: str, options: Mapping[str, Any]) -> int | None:
    """Neighbours that an extrapolator reads; None: none. It says so with a literal
    ``NEEDS = ("neighbors",)`` and, where k may be left open, ``NEIGHBORS``, the most it looks at
    then."""
    wanted = []
    for name in (method, *options.get("methods", ())):  # auto combines several
        constants = registry.describe("extrapolator", name).constants
        if "neighbors" in constants.get("NEEDS", ()):
            k = options.get("k", "auto")
            wanted.append(int(constants["NEIGHBORS"] if k == "auto" else k))
    return max(wanted, default=None)
