"""The words that describe tasks: digests of sections and of scores, each made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from core.facts import DataFacts
from core.needs import score_kind
from core.spec import Spec
from core.units import digest


def wanted_scores(spec: Spec) -> tuple[Mapping[str, Any], ...]:
    """Resolved sections of the scores to record, the one that is pruned by first."""
    main = {k: v for k, v in spec.score.model_dump(mode="json").items() if k != "also"}
    if main["until"] == "end":  # said only where it is not so, and then part of the score's key
        del main["until"]
    of_the_run = {key: main[key] for key in ("nets", "cross_fit", "until") if key in main}
    return (main, *({**a.model_dump(mode="json"), **of_the_run} for a in spec.score.also))


def recorded(scores: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """What one net records: the same, however many nets are averaged."""
    return tuple({k: v for k, v in s.items() if k not in ("nets", "cross_fit")} for s in scores)


class Digests:
    """Digests of sections and scores, each made once: the cells of a sweep share most of them."""

    def __init__(self) -> None:
        self._digests: dict[int, tuple[Any, str]] = {}  # the object too, so that its id stays its
        self._bases: dict[tuple[object, ...], str] = {}
        self._scores: dict[int, tuple[Any, tuple[Mapping[str, Any], ...]]] = {}
        self._recorded: dict[int, tuple[Mapping[str, Any], ...]] = {}

    def of(self, part: Any) -> str:
        """Digest of a section, or of a mapping that is not changed any more."""
        known = self._digests.get(id(part))
        if known is None:
            plain = part
            if isinstance(part, BaseModel):
                plain = part.model_dump(mode="json", by_alias=True)
            known = self._digests[id(part)] = (part, digest(plain))
        return known[1]

    def base(self, spec: Spec, facts: DataFacts) -> str:
        """Digest of what every task depends on."""
        data, paradigm, compute = self.of(spec.data), self.of(spec.paradigm), spec.compute
        about = (data, facts.fingerprint, paradigm, compute.precision, compute.deterministic)
        if about not in self._bases:
            self._bases[about] = digest(about)
        return self._bases[about]

    def scores(self, spec: Spec) -> tuple[Mapping[str, Any], ...]:
        """See :func:`wanted_scores`."""
        known = self._scores.get(id(spec.score))
        if known is None:
            known = self._scores[id(spec.score)] = (spec.score, wanted_scores(spec))
        return known[1]

    def kept(self, spec: Spec) -> tuple[Mapping[str, Any], ...]:
        """What a scoring net records of a spec's scores: see :func:`recorded`."""
        scores = self.scores(spec)
        if id(scores) not in self._recorded:
            trained = score_kind(spec.score.name) == "trained"
            self._recorded[id(scores)] = recorded(scores) if trained else ()
        return self._recorded[id(scores)]

    def net(self, spec: Spec, facts: DataFacts) -> dict[str, str]:
        """What describes a scoring net."""
        base = self.base(spec, facts)
        return {"base": base, "model": self.of(spec.model), "train": self.of(spec.train)}
