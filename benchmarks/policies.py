"""Every selection policy on a million samples: ``python -m benchmarks.policies``.

Scores, labels, further scores, embeddings and neighbours are made up beforehand: only the choice is
timed, at the rate at which the policy has most to do. At most 5 s each, ``graph`` 60 s given the
neighbours. The obvious greedy search of ``graph``, which looks through all scores for every sample
it keeps, must miss its limit; it is timed on 200 choices and scaled up.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.conditions import machine
from core import registry
from core.needs import companions
from core.selection.base import SelectionInput, keep

RESULT = Path(__file__).parent / "results" / "policies.md"
LIMIT, GRAPH_LIMIT = 5.0, 60.0
RATES = (0.1, 0.5, 0.9)
K, CLASSES = 5, 100


def table(n: int, dimensions: int) -> SelectionInput:
    """A made-up million with everything a policy may read."""
    rng = np.random.default_rng(0)
    columns = {
        name: rng.random(n, dtype=np.float32)
        for policy in registry.names("policy")
        for name in companions(policy, _defaults(policy))
    }
    return SelectionInput(
        score=rng.standard_normal(n, dtype=np.float32),
        labels=rng.integers(0, CLASSES, n),
        columns=columns,
        directions=dict.fromkeys(columns, "low"),
        embeddings=rng.standard_normal((n, dimensions), dtype=np.float32),
        neighbors=(
            np.sort(rng.random((n, K), dtype=np.float32), axis=1),
            rng.integers(0, n, (n, K)),
        ),
    )


def _defaults(policy: str) -> dict[str, Any]:
    return {p.name: p.default for p in registry.describe("policy", policy).params}


def seconds(policy: str, rows: SelectionInput, rate: float) -> float:
    """Of one choice."""
    module: Any = registry.load("policy", policy)
    own = replace(rows, params=module.Params() if hasattr(module, "Params") else None)
    n_keep = round((1 - rate) * len(rows))
    start = time.perf_counter()
    keep(module, own, n_keep, rate, np.random.default_rng(1))
    return time.perf_counter() - start


def naive_graph(rows: SelectionInput, n_keep: int, picks: int = 200) -> float:
    """Seconds for ``n_keep`` choices by argmax over all, from ``picks`` of them."""
    assert rows.neighbors is not None
    distances, indices = rows.neighbors
    score = rows.score.astype(np.float64)
    start = time.perf_counter()
    for _ in range(picks):
        best = int(np.argmax(score))
        score[indices[best]] -= np.exp(-0.1 * distances[best]) * score[best]
        score[best] = -np.inf
    return (time.perf_counter() - start) / picks * n_keep


def main() -> None:
    """Measure, print, write down; exit 1 when a limit is broken or the naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = table(options.samples, options.dimensions)
    lines, right = [], True
    for policy in registry.names("policy"):
        limit = GRAPH_LIMIT if policy == "graph" else LIMIT
        times = {
            rate: median(seconds(policy, rows, rate) for _ in range(options.rounds))
            for rate in RATES
        }
        worst = max(times.values())
        right &= worst <= limit
        shown = " | ".join(f"{times[rate]:.2f}" for rate in RATES)
        lines.append(
            f"| {policy} | {shown} | {limit:g} | {'holds' if worst <= limit else 'fails'} |"
        )
    naive = naive_graph(rows, round(0.9 * options.samples))
    right &= naive > GRAPH_LIMIT
    lines.append(
        f"| naive graph: argmax each time (scaled up) | {naive:.0f} | | | {GRAPH_LIMIT:g} | "
        f"{'holds' if naive <= GRAPH_LIMIT else 'fails, as it must'} |"
    )
    text = "\n".join(
        [
            "# Selection policies",
            "",
            f"`python -m benchmarks.policies`: {options.samples:,} samples, {CLASSES} classes, "
            f"embeddings of {options.dimensions}, {K} neighbours; median of {options.rounds}. "
            f"{machine('numpy')}.",
            "",
            "| policy | s at rate " + " | at ".join(f"{rate:g}" for rate in RATES) + " | limit | |",
            "|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )
    print(text)
    if options.samples == 1_000_000:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.exit(not right)


if __name__ == "__main__":
    main()
