"""The block of retrainings of one recipe."""

from __future__ import annotations

from core.errors import UserError
from core.facts import DataFacts
from core.mixing import check_recipe
from core.needs import SAMPLERS
from core.plan.digests import Digests
from core.plan.passes import retrain_passes
from core.plan.trials import Trial
from core.spec import Spec
from core.uniting import Described, Draft, Drafts


class Retrainings:
    """The retrainings of one seed and recipe, by what they train on."""

    def __init__(
        self, drafts: Drafts, digests: Digests, spec: Spec, facts: DataFacts, seed: int
    ) -> None:
        self._drafts, self._spec, self._facts, self._seed = drafts, spec, facts, seed
        self._parts = {
            "base": digests.base(spec, facts), "model": digests.of(spec.model),
            "retrain": digests.of(spec.retrain),
        }  # fmt: skip
        self._known: dict[tuple[str, float, Draft | None], Draft] = {}
        check_recipe("retrain", spec.retrain, spec.data.name, facts)
        self.timed = spec.retrain.budget == "seconds"
        missing = 0 if facts.n_labelled is None else facts.n_train - facts.n_labelled
        if self.timed and missing:
            what = f"retrain.budget: seconds trains on everything, and {missing:,} samples have no"
            raise UserError(f"{what} label", "use retrain.budget: steps or epochs")

    def _full(self) -> tuple[str, Draft]:
        trial = Trial(self._seed, "full", None, 0.0, self._facts.n_train)
        return f"retrain-{trial.id}", self.of(trial, trial.id, None)

    def of(self, trial: Trial, name: str, selection: Draft | None) -> Draft:
        """The retraining of a trial on what a selection keeps."""
        key = (trial.method, trial.rate, selection)
        found = self._known.get(key)
        if found is None:
            known = {} if selection is None else {f"prune-{name}": selection}
            known |= dict([self._full()]) if self.timed and trial.method != "full" else {}
            drawn = trial.method if trial.method in SAMPLERS else None
            parts = {**self._parts, "rate": trial.rate, "sampler": drawn}
            passes = retrain_passes(self._spec, self._facts, trial.n_keep)
            task = Described(
                f"retrain-{name}", tuple(known), parts, {"trial": trial, "passes": passes}
            )
            found = self._known[key] = self._drafts.of(task, self._seed, known)
        return found
