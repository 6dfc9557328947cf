"""What cheaper and dearer forms of cross-fitting give: ``python -m benchmarks.crossfit_forms``.

On the suites, subsets and truth of ``benchmarks.quality`` (its ``--work`` folder; what is missing
there is trained first): the built form, two nets on half of the subset each watched at five epochs,
against fewer epochs, more folds, halves that are the scoring run as well, and a warm-up shared with
the scoring run. Cost is in passes over the subset: a training pass counts 1, a forward pass 1/3.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.quality_cells import DOUBLED, SUITES, Setup, Subset, Suite
from benchmarks.quality_rows import CROSS_FITTED, predicted
from core import registry
from core.metrics import spearman
from core.models.build import build_net
from core.neighbors import among_all
from core.span import moments
from core.stages import crossfit
from core.stages.score import watching
from core.stages.train_task import net_seed
from core.stats import paired
from core.training.dynamics import NUMBERS, Dynamics
from core.training.evaluate import embed, probabilities
from core.training.loop import train
from core.training.recorder import Recorded, Recorder, Recorders

RESULT = Path(__file__).parent / "results" / "crossfit_forms.md"
FRACTION = 0.2
FORWARD = 1 / 3
"""Of the operations of a training pass."""
PLAIN = "no cross-fitting"
DOUBLED_SUBSET = "no cross-fitting, twice the subset"
BUILT = "built: 2 folds, watched at 5 epochs"
Row = dict[str, Any]
_ABOUT = """# Forms of cross-fitting

`python -m benchmarks.crossfit_forms`, on the suites, subsets of 20%, seeds and truth of
[quality.md](quality.md). Cost: scoring run and nets, in scoring runs, a training pass being three
forward passes. Spearman on unseen samples, mean over suites, scores and seeds; the interval is
Student's t over seeds, paired. Supervised training only.
"""


@dataclass(frozen=True)
class Form:
    """One way to get what a net thinks of samples that it did not see; ``subset`` is what the
    predictors read, ``epochs`` what scoring run and nets cost, in passes over the subset."""

    subset: Subset
    epochs: float


class Forms:
    """All forms of one suite and seed."""

    def __init__(self, setup: Setup, suite: str, seed: int) -> None:
        self.setup, self.suite, self.seed = setup, suite, seed
        self.runs = Suite(setup, suite, seed)
        self.index = self.runs.cell(FRACTION, crossfit=True)
        self.ctx, self.recipe = self.runs.ctx, self.runs.spec(self.index).train
        self.built = Subset.read(setup.cell_file(suite, seed, FRACTION))
        self.total, m = len(self.built.labels), len(self.built.ids)
        self.length = self.recipe.epochs.epochs(m, self.recipe.batch)
        self.watched = (self.total - m / 2) / m
        """Samples that a half's net is watched on, in subsets."""

    def all(self) -> dict[str, Callable[[], Form]]:
        """How each form is made, by name."""
        half = self.length // 2
        return {
            PLAIN: lambda: Form(self.built, self.length),
            DOUBLED_SUBSET: self.doubled,
            BUILT: partial(self.fewer, 5),
            **{f"2 folds, {count} of the 5": partial(self.fewer, count) for count in (3, 2, 1)},
            "4 folds": partial(self.more_folds, 4),
            "2 folds, each half's net scores its half": self.halves,
            f"2 folds, {half} of {self.length} epochs warmed up": partial(self.warmed, half),
        }

    def doubled(self) -> Form:
        """No cross-fitting: what it costs is spent on twice the subset."""
        file = self.setup.cell_file(self.suite, self.seed, DOUBLED)
        return Form(Subset.read(file), 2 * self.length)

    def fewer(self, count: int) -> Form:
        """The built form, of its five epochs only ``count``, the last one among them."""
        assert self.built.dynamics is not None  # cells of this size have them
        table = self.built.dynamics[:, : 5 * NUMBERS].reshape(self.total, 5, NUMBERS)
        table = table[:, list(moments(5, count))]
        made = crossfit.joined([(np.arange(self.total), table)], self.total)
        cost = 2 * self.length + 2 * count * self.watched * FORWARD
        return Form(replace(self.built, dynamics=made), cost)

    def more_folds(self, folds: int) -> Form:
        """Each net is trained on all folds but one."""
        changed = replace(self.setup, changes=(f"score.cross_fit={folds}",))
        runs = Suite(changed, self.suite, self.seed)
        index = runs.cell(FRACTION, crossfit=True)
        runs.run(index, "subset", "crossfit")
        (task,) = runs.tasks(index, "extrapolate")
        m = len(self.built.ids)
        watched = (self.total - m * (1 - 1 / folds)) / m
        cost = folds * self.length + folds * 5 * watched * FORWARD
        made = crossfit.read(task, runs.ctx)
        return Form(replace(self.built, dynamics=made), cost)

    def halves(self) -> Form:
        """No scoring run: a sample is scored by the half's net that trained on it, and embedded by
        the first half's."""
        scores = np.empty_like(self.built.scores)
        parts, shown = [], []
        for inside, rest, net, found in self._trained(self._fresh):
            scores[~inside] = np.stack(list(found["scores"].finalize().values()), axis=1)
            parts.append((rest, found["dynamics"].finalize()["dynamics"]))
            shown.append(net)
        made = crossfit.joined(parts, self.total)
        feed = self.ctx.feed("train")
        subset = replace(
            self.built, scores=scores, dynamics=made, embeddings=embed(shown[0], feed),
            probabilities=probabilities(shown[0], feed),
        )  # fmt: skip
        cost = self.length + 2 * 5 * self.watched * FORWARD
        return Form(subset, cost)

    def warmed(self, epochs: int) -> Form:
        """Both nets go on from the scoring run's first ``epochs``, then see their half only: what
        they know of the other half is from the warm-up."""
        start = self._net()
        self._train(start, self.built.ids, epochs, None)
        parts = [
            (rest, found["dynamics"].finalize()["dynamics"])
            for _, rest, _, found in self._trained(
                lambda: (copy.deepcopy(start), self.length - epochs)
            )
        ]
        cost = 2 * self.length - epochs + 2 * 5 * self.watched * FORWARD
        made = crossfit.joined(parts, self.total)
        return Form(replace(self.built, dynamics=made), cost)

    def _trained(self, start: Callable[[], tuple[Any, int]]) -> Iterator[tuple[Any, ...]]:
        """For each half: which scored samples it leaves out, the ids it is watched on, the net, and
        the recorders of its scores and of what it thinks."""
        (task,) = self.runs.tasks(self.index, "score")
        ids, device = self.built.ids, self.ctx.compute.device
        fold = crossfit.fold_of(len(ids), 2, self.seed)
        for which in range(2):
            inside = fold == which
            own = ids[~inside]
            rest = np.setdiff1d(np.arange(self.total), own)
            net, length = start()
            made = Dynamics(len(rest), moments(length), True, device)
            whole = length == self.length  # else scores would read epochs that are not there
            wanted = task.scores if whole else ()
            scores = {s["name"]: watching(s, self.ctx, len(own), length) for s in wanted}
            parts = {
                "dynamics": Recorder(
                    rest, self.total, {"dynamics": Recorded(made, "eval_pass")}, device
                ),
                "scores": Recorder(own, self.total, scores, device),
            }
            self._train(net, own, length, Recorders(parts))
            yield inside, rest, net, parts

    def _fresh(self) -> tuple[Any, int]:
        return self._net(), self.length

    def _net(self) -> Any:
        (task,) = self.runs.tasks(self.index, "score")
        spec = self.runs.spec(self.index)
        return build_net(spec.model, self.ctx.dataset.train, net_seed(task), "crossfit")

    def _train(self, net: Any, ids: np.ndarray, epochs: int, recorder: Any) -> None:
        spec = self.runs.spec(self.index)
        module: Any = registry.load("paradigm", spec.paradigm.name)
        paradigm = module.make(module.Params(**spec.paradigm.params), self.recipe)
        steps = epochs * -(-len(ids) // self.recipe.batch)
        train(
            net, paradigm, self.ctx.feed("train"), ids, self.recipe, seed=self.seed,
            role="crossfit", compute=self.ctx.compute, total_steps=steps, recorder=recorder,
        )  # fmt: skip


def rows(setup: Setup, suite: str, seed: int, known: set[str]) -> Iterator[Row]:
    """Spearman on unseen samples of every predictor and score, of forms not ``known``."""
    forms = Forms(setup, suite, seed)
    with np.load(setup.truth_file(suite, seed), allow_pickle=False) as found:
        truth = found["full"]
    for name, make in forms.all().items():
        if name in known:
            continue
        form = make()
        near = among_all(form.subset.embeddings, 20, threads=1)
        plain = name in (PLAIN, DOUBLED_SUBSET)
        for method in ("auto",) if plain else ("dynamics", CROSS_FITTED):
            made = predicted(method, form.subset, near, seed).values
            for column, score in enumerate(form.subset.names):
                unseen = form.subset.unseen
                yield {
                    "suite": suite, "seed": seed, "form": name, "method": method,
                    "score": score, "epochs": form.epochs, "scoring": forms.length,
                    "spearman": spearman(made[unseen, column], truth[unseen, column]),
                }  # fmt: skip


def table(found: list[Row]) -> str:
    """By form and predictor: what scoring run and nets cost, in scoring runs, the mean over suites
    and scores, and how it differs from the built form's, paired by seed."""
    scores = list(dict.fromkeys(r["score"] for r in found))
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row["form"], row["method"]), []).append(row)
    lines = [
        "| form | predictor | cost | Spearman | less the built form's | 95% interval | "
        f"{' | '.join(scores)} |",
        "|" + "---|" * (6 + len(scores)),
    ]
    for (form, method), mine in groups.items():
        other = groups[BUILT, CROSS_FITTED if method == "auto" else method]
        about = paired(_by_seed(mine), _by_seed(other))
        assert about is not None  # all forms have the same seeds
        span = "-" if about.ci_low is None else f"{about.ci_low:+.3f} to {about.ci_high:+.3f}"
        cost = fmean(r["epochs"] / r["scoring"] for r in mine)
        each = [fmean(r["spearman"] for r in mine if r["score"] == s) for s in scores]
        lines.append(
            f"| {form} | {method} | {cost:.2f} | {fmean(_by_seed(mine).values()):.3f} | "
            f"{about.mean:+.3f} | {span} | {' | '.join(f'{value:.3f}' for value in each)} |"
        )
    return "\n".join(lines)


def _by_seed(rows: list[Row]) -> dict[int, float]:
    seeds = sorted({r["seed"] for r in rows})
    return {s: fmean(r["spearman"] for r in rows if r["seed"] == s) for s in seeds}


def main() -> None:
    """Make the rows that are missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("quality"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--suites", nargs="*", default=SUITES, choices=SUITES)
    options = parser.parse_args()
    setup = Setup(options.work, tuple(options.seeds), tuple(options.suites))
    file = options.work / "crossfit_forms.jsonl"
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    for seed in setup.seeds:
        for suite in setup.suites:
            have = {r["form"] for r in known if (r["suite"], r["seed"]) == (suite, seed)}
            made = list(rows(setup, suite, seed, have))
            with file.open("a", encoding="utf-8") as out:
                out.write("".join(json.dumps(row) + "\n" for row in made))
            known += made
            print(suite, seed, flush=True)
    mine = [r for r in known if r["seed"] in setup.seeds and r["suite"] in setup.suites]
    text = table(mine)
    print(text)
    if (set(options.seeds), tuple(options.suites)) == ({0, 1, 2}, SUITES):
        RESULT.write_text(f"{_ABOUT}\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
