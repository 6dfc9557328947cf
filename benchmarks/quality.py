"""How well scores are extrapolated, method by method: ``python -m benchmarks.quality``.

Suites of data with known difficulty, four scores out of one scoring run, nested subsets of 10% and
20%, and one common set of unseen ids (outside the 40% subset, which the doubled budget uses). Every
method sees the same scoring runs; truth is a scoring run on all data by the train recipe. Rows are
added to ``--work``/rows.jsonl as they are made, so an interrupted bench goes on where it was;
``--n``, ``--epochs``, ``--seeds``, ``--suites`` try it on less.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import paper
from core.data.bank import Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.errors import PrunectlError
from core.extrapolators.base import Features
from core.extrapolators.choose import choose
from core.extrapolators.mapping import match_distribution
from core.metrics import kept_recall, pearson, spearman, subset_share
from core.neighbors import among_all
from core.pipeline import run_task
from core.plan import build_graph
from core.registry import load, names
from core.selection.base import highest
from core.spec_load import parse_spec
from core.stages.base import Context
from core.stages.score import score_seal
from core.stats import paired, summarise
from core.store import Store
from core.training import devices
from core.work import facts_of

RESULT = Path(__file__).parent / "results" / "quality.md"
SCORES = ("dynamic_uncertainty", "tdds", "el2n", "dual")
FRACTIONS = (0.1, 0.2)
DOUBLED = 0.4  # the largest subset; what lies outside is unseen for all
RATES = (0.3, 0.5, 0.7)
Z80 = 1.2815516
GOALS = {"paper_knn": 0.04, "paper_gcn": 0.02, "paper_knn x2": 0.05}


@dataclass(frozen=True)
class Scale:
    """How much is computed."""

    n: int = 10_000
    epochs: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)


def suites(scale: Scale) -> dict[str, dict[str, Any]]:
    """Data sections by name."""
    pictures = {"name": "procedural", "n": scale.n, "n_test": 200, "background": 0.15}
    return {
        "digits": {"name": "digits"},
        "procedural, easy": {**pictures, "contrast": 0.3, "noise": 0.1},
        "procedural, hard": {**pictures, "contrast": 0.2, "noise": 0.2},
        "procedural, 20% mislabelled, long tail": {
            **pictures, "contrast": 0.25, "noise": 0.15, "mislabelled": 0.2, "tail": 20.0,
        },
    }  # fmt: skip


def spec_of(data: Mapping[str, Any], scale: Scale, fraction: float, seed: int) -> Any:
    """One scoring run that records all four scores."""
    window = max(3, scale.epochs // 3)
    shared = {"record": "train_forward"}
    own = {"window": {"length": window, "ddof": 1}}
    return parse_spec(
        {
            "data": dict(data), "model": {"name": "convnet", "width": 16}, "seeds": [seed],
            "subset": {"fraction": fraction},
            "train": {
                "epochs": f"{scale.epochs}ep", "batch": 64,
                "optimizer": {"name": "adam", "lr": 0.003}, "schedule": {"name": "constant"},
            },
            "score": {
                "name": SCORES[0], **shared, **own,
                "also": [
                    {"name": "tdds", **shared, **own, "epoch": 0, "span": scale.epochs},
                    {"name": "el2n", **shared, "epoch": scale.epochs // 3, "span": 3},
                    {"name": "dual", **shared, **own, "epoch": 0, "span": scale.epochs},
                ],
            },
            "prune": {"rates": [0.5]}, "baselines": [], "reference": "full",
            "compute": {"device": "cpu", "threads": 1}, "tracking": {"enabled": False},
        }
    )  # fmt: skip


@dataclass
class Scored:
    """One scoring run: its ids, scores ``[m, S]``, embeddings and class probabilities of all N
    samples, the reference's scores ``[N, S]``, and sample passes of scoring and embedding."""

    ids: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    probabilities: np.ndarray
    full: np.ndarray
    labels: np.ndarray
    passes: int


def scored(spec: Any, dataset: Dataset, work: Path) -> Scored:
    """Run (or find in the store) subset, scoring run, embedding and reference."""
    from core.stages import train_task
    from core.training.evaluate import probabilities

    compute = devices.resolve(spec.compute)
    devices.apply(compute)
    graph = build_graph([(spec, facts_of(dataset))])
    ctx = Context(graph, dataset, Store(work / "store"), compute, lambda _: None, lambda: False)
    for task in graph.tasks:
        if task.stage in ("subset", "score", "embed", "reference"):
            run_task(task, ctx)
    seed = spec.seeds[0]
    score, reference = f"score-s{seed}", f"reference-s{seed}"

    def values(task: str) -> np.ndarray:
        return np.stack(
            [np.load(score_seal(ctx, task, spec, name).path / "values.npy") for name in SCORES],
            axis=1,
        )

    net = train_task.load_net(graph[f"embed-s{seed}"], ctx, ctx.seal(score, "net-"))
    return Scored(
        np.load(ctx.seal(f"subset-s{seed}").path / "ids.npy"),
        values(score),
        np.load(ctx.seal(f"embed-s{seed}").path / "embeddings.npy"),
        probabilities(net, ctx.feed("train")),
        values(reference),
        np.asarray(dataset.train.targets),
        graph[score].passes + graph[f"embed-s{seed}"].passes,
    )


def methods() -> list[str]:
    """The paper's two, then every extrapolator there is."""
    return ["paper_knn", "paper_gcn", *names("extrapolator")]


def predictions(
    name: str, run: Scored, near: Any, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Values and std ``[N, S]`` of one method, every score on its own, and what it chose."""
    values = np.full((len(run.embeddings), len(SCORES)), np.nan, np.float32)
    std, chosen = values.copy(), {}
    x = Features(run.embeddings, run.labels, near, predictions=run.probabilities, threads=1)
    for column, score in enumerate(SCORES):
        own = run.scores[:, column]
        if name in paper.METHODS:
            values[:, column] = paper.METHODS[name](run.embeddings, run.labels, run.ids, own, seed)
        else:
            module: Any = load("extrapolator", name)
            found = choose(module.make(module.Params()), x, run.ids, own, seed)
            values[:, column] = found.prediction.values[:, 0]
            std[:, column] = found.prediction.std[:, 0]
            chosen[score] = found.chosen
    return values, std, chosen


def figures(
    run: Scored, column: int, values: np.ndarray, std: np.ndarray, unseen: np.ndarray
) -> dict[str, float | None]:
    """Everything that is said of one prediction ``[N]`` of one score."""
    truth, own = run.full[:, column], run.scores[:, column]
    scored_ = np.zeros(len(truth), dtype=bool)
    scored_[run.ids] = True
    order = np.argsort(truth[unseen])
    fifth = max(2, len(order) // 5)
    parts = {"top": unseen[order[-fifth:]], "bottom": unseen[order[:fifth]]}
    merged = values.copy()
    merged[~scored_] = match_distribution(values[~scored_], own)
    merged[scored_] = own
    found: dict[str, float | None] = {
        "spearman": spearman(values[unseen], truth[unseen]),
        "pearson": pearson(values[unseen], truth[unseen]),
        **{f"spearman {k} 20%": spearman(values[p], truth[p]) for k, p in parts.items()},
    }
    for rate in RATES:
        kept = highest(merged, round((1 - rate) * len(merged)))
        found[f"recall {rate}"] = kept_recall(kept, truth)
    found["share 0.7"] = subset_share(highest(merged, round(0.3 * len(merged))), run.ids)
    if np.isfinite(std[unseen]).all():
        # the reference's scores differ from the subset's in level, so its order is what is judged
        mapped = match_distribution(truth[unseen], own)
        inside = np.abs(mapped - values[unseen]) <= Z80 * std[unseen]
        found["coverage80"] = float(inside.mean())
    return found


def rows(
    scale: Scale, work: Path, wanted: Iterable[str], only: list[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Every row that is not in ``work`` yet, as it is made."""
    file = work / "rows.jsonl"
    done = {_key(row) for row in _read(file)}
    chosen = {s: d for s, d in suites(scale).items() if not only or any(o in s for o in only)}
    for suite, data in chosen.items():
        for seed in scale.seeds:
            for fraction in (*FRACTIONS, DOUBLED):
                todo = [
                    m for m in wanted
                    if (fraction != DOUBLED or m.startswith("paper"))
                    and (suite, seed, fraction, m) not in done
                ]  # fmt: skip
                if todo:
                    yield from _of_run(suite, data, scale, fraction, seed, todo, work)


def _of_run(
    suite: str, data: Mapping[str, Any], scale: Scale, fraction: float, seed: int,
    todo: list[str], work: Path,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    spec = spec_of(data, scale, fraction, seed)
    dataset = prepare_dataset(spec.data, default_cache_root())
    run = scored(spec, dataset, work)
    count = len(run.embeddings)
    from core.rng import generator

    permutation = generator(seed, "data", "subset").permutation(count)
    unseen = np.sort(permutation[round(DOUBLED * count) :])
    near = among_all(run.embeddings, 20, threads=1)
    ceilings = [spearman(run.scores[:, c], run.full[run.ids, c]) for c in range(len(SCORES))]
    for name in todo:
        start = time.perf_counter()
        try:
            values, std, chosen = predictions(name, run, near, seed)
        except PrunectlError as error:
            print(f"{suite} s{seed} {fraction} {name}: {error}", flush=True)
            continue
        seconds = (time.perf_counter() - start) / len(SCORES)
        for column, score in enumerate(SCORES):
            yield {
                "suite": suite, "seed": seed, "fraction": fraction, "method": name, "score": score,
                "seconds": seconds, "passes": run.passes, "ceiling": ceilings[column],
                "chosen": chosen.get(score),
                **figures(run, column, values[:, column], std[:, column], unseen),
            }  # fmt: skip


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[k] for k in ("suite", "seed", "fraction", "method"))


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _mean(values: Iterable[float | None], digits: int = 3) -> str:
    known = [v for v in values if v is not None]
    return f"{np.mean(known):.{digits}f}" if known else "-"


COLUMNS = (
    "spearman", "pearson", "spearman top 20%", "spearman bottom 20%", "recall 0.3", "recall 0.5",
    "recall 0.7", "share 0.7", "coverage80", "seconds", "passes",
)  # fmt: skip


def report(found: list[dict[str, Any]], scale: Scale) -> str:
    """Tables: every method over all cells, the goals, and Spearman by cell."""
    lines = [
        "# Quality of extrapolation", "",
        f"`python -m benchmarks.quality`: {len(suites(scale))} suites of up to {scale.n:,} samples,"
        f" {scale.epochs} epochs, seeds {list(scale.seeds)}, scores {', '.join(SCORES)}, subsets "
        "10% and 20%. Means over all cells; unseen samples against a scoring run on all data.",
        "", "| method | n | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|",
    ]  # fmt: skip
    by_method: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        name = row["method"] + (" x2" if row["fraction"] == DOUBLED else "")
        by_method[name].append(row)
    for name, own in by_method.items():
        cells = [_mean((r.get(c) for r in own), 0 if c == "passes" else 3) for c in COLUMNS]
        lines.append(f"| {name} | {len(own)} | " + " | ".join(cells) + " |")
    lines += ["", f"Ceiling: {_mean(r['ceiling'] for r in found)} (the subset's own scores).", ""]
    lines += goals(found)
    lines += ["", "Spearman by cell, mean over seeds (std):", ""]
    return "\n".join([*lines, *by_cell(found), ""])


def goals(found: list[dict[str, Any]]) -> list[str]:
    """``auto`` against the baselines, paired by seed: mean over suites, scores and subsets."""
    out = ["| auto against | difference | 95% interval | n | wanted |", "|---|---|---|---|---|"]
    for baseline, wanted in GOALS.items():
        other, doubled = baseline.removesuffix(" x2"), baseline.endswith(" x2")
        ours: dict[int, list[float]] = defaultdict(list)
        theirs: dict[int, list[float]] = defaultdict(list)
        cells = {(r["suite"], r["seed"], r["fraction"], r["score"], r["method"]): r for r in found}
        for (suite, seed, fraction, score, method), row in cells.items():
            # a 20% subset is the doubled budget of 10%, the 40% subset that of 20%
            against = cells.get((suite, seed, fraction * (2 if doubled else 1), score, other))
            if method == "auto" and against and None not in (row["spearman"], against["spearman"]):
                ours[seed].append(row["spearman"])
                theirs[seed].append(against["spearman"])
        apart = paired(
            {s: float(np.mean(v)) for s, v in ours.items()},
            {s: float(np.mean(v)) for s, v in theirs.items()},
        )
        if apart is None:
            out.append(f"| {baseline} | not run | | 0 | {wanted:+.2f} |")
            continue
        interval = "-" if apart.ci_low is None else f"{apart.ci_low:+.3f} to {apart.ci_high:+.3f}"
        out.append(f"| {baseline} | {apart.mean:+.3f} | {interval} | {apart.n} | {wanted:+.2f} |")
    return out


def by_cell(found: list[dict[str, Any]]) -> list[str]:
    """Spearman of every method in every cell."""
    cells: dict[tuple[Any, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        if row["spearman"] is not None:
            cells[row["suite"], row["score"], row["fraction"]][row["method"]].append(
                row["spearman"]
            )
    shown = list(dict.fromkeys(row["method"] for row in found))
    out = [
        "| suite | score | subset | " + " | ".join(shown) + " |",
        "|---" * (len(shown) + 3) + "|",
    ]
    for (suite, score, fraction), own in cells.items():
        texts = []
        for name in shown:
            about = summarise(own.get(name, []))
            spread = "" if about.std is None else f" ({about.std:.3f})"
            texts.append("-" if about.mean is None else f"{about.mean:.3f}{spread}")
        out.append(f"| {suite} | {score} | {fraction:g} | " + " | ".join(texts) + " |")
    return out


def main() -> None:
    """Make the missing rows, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("quality"), help="store and rows")
    parser.add_argument("--n", type=int, default=10_000, help="samples of a generated suite")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--suites", nargs="*", default=None, help="only these, by a part of a name")
    parser.add_argument("--methods", nargs="*", default=None, help="only these")
    parser.add_argument("--table", action="store_true", help="only the table of what is there")
    options = parser.parse_args()
    scale = Scale(options.n, options.epochs, tuple(options.seeds))
    options.work.mkdir(parents=True, exist_ok=True)
    file = options.work / "rows.jsonl"
    if not options.table:
        for row in rows(scale, options.work, options.methods or methods(), options.suites):
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
    table = report(_read(file), scale)
    print(table)
    if scale == Scale():
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
