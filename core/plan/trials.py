"""How many samples are scored, and which retrainings a spec asks for."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UserError
from core.facts import DataFacts
from core.spec import Spec
from core.units import n_keep, round_share


@dataclass(frozen=True)
class Trial:
    """One retraining: (seed, method, policy, rate) and the count of samples it keeps."""

    seed: int
    method: str
    policy: str | None
    rate: float
    n_keep: int

    @property
    def id(self) -> str:
        """``s0-knn-top_k-r0.3000``; also the file name of the trial's artifacts."""
        return f"s{self.seed}-{self.method}-{self.policy or 'none'}-r{self.rate:.4f}"


def subset_size(spec: Spec, facts: DataFacts) -> int:
    """m, the number of scored samples. UserError when it cannot be drawn."""
    total, subset = facts.n_train, spec.subset
    if subset.how == "labelled":
        return _labelled_size(facts)
    size = subset.n if subset.n is not None else round_share(subset.fraction or 0.0, total)
    if subset.how == "real" and facts.n_real and size <= facts.n_real:
        raise UserError(
            f"subset.how: real takes all {facts.n_real:,} real samples and some generated ones, "
            f"and the subset has {size:,}",
            "raise subset.fraction or subset.n",
        )
    if size < facts.classes:
        raise UserError(
            f"the subset has {size} samples for {facts.classes} classes",
            "raise subset.fraction or subset.n",
        )
    if size >= total:
        raise UserError(f"subset.n = {size} is not smaller than the {total} training samples")
    return size


def _labelled_size(facts: DataFacts) -> int:
    size = facts.n_train if facts.n_labelled is None else facts.n_labelled
    if size == facts.n_train:
        raise UserError(
            "subset.how is labelled, but every training sample has a label",
            "use subset.how: random, with a fraction",
        )
    if size < facts.classes:
        raise UserError(f"{size} samples are labelled, of {facts.classes} classes", "label more")
    return size


def trials(spec: Spec, facts: DataFacts, seed: int) -> list[Trial]:
    """All retrainings of one seed, the method first."""
    total, rates, policy = facts.n_train, sorted(spec.prune.rates), spec.prune.policy
    for rate in rates:
        if n_keep(rate, total) < 1:
            raise UserError(f"prune.rates: {rate:g} of {total} samples keeps none")
    found = [Trial(seed, spec.extrapolate.name, policy, r, n_keep(r, total)) for r in rates]
    for method in spec.baselines:
        if method == "full":
            found.append(Trial(seed, "full", None, 0.0, total))
        elif method == "subset_only":
            found += _subset_trials(spec, facts, seed)
        else:
            chosen = {"random": "random", "rs2": None, "infobatch": None}.get(method, policy)
            found += [Trial(seed, method, chosen, r, n_keep(r, total)) for r in rates]
    return found


def _subset_trials(spec: Spec, facts: DataFacts, seed: int) -> list[Trial]:
    """The whole subset at rate 1 - m/N, and its best samples at higher rates. A listed rate that
    keeps m samples, or that is the same to four decimals, stands for the former."""
    size, total = subset_size(spec, facts), facts.n_train
    kept = {r: n for r in spec.prune.rates if (n := n_keep(r, total)) <= size}
    whole = 1 - size / total
    if size not in kept.values() and f"{whole:.4f}" not in {f"{r:.4f}" for r in kept}:
        kept[whole] = size
    return [Trial(seed, "subset_only", spec.prune.policy, r, n) for r, n in sorted(kept.items())]
