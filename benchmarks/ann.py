"""Neighbours among 200,000 scored samples: ``python -m benchmarks.ann``.

1,000,000 x 512 float32, 200,000 scored, k = 20, cosine: kNN extrapolation with approximate
neighbours, timed with everything it needs (normalising, training, searching, averaging). Data: a
seeded mixture of rank 32 plus noise of 0.1 in every direction; beside it an isotropic cloud, the
hard case, where an approximate search is worth nothing and the exact one is taken. The exact answer
is computed for ``CHECKED`` of the samples. Memory is the peak above what was held before, in units
of the embeddings. ``--n`` tries it on less.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.knn import machine, peak_growth
from core.extrapolators import knn
from core.extrapolators.base import Features, others
from core.metrics import spearman

RESULT = Path(__file__).parent / "results" / "ann.md"
D, RANK, K, CHECKED = 512, 32, 20, 20_000
WANTED = {"seconds": 120.0, "memory": 1.5, "spearman": 0.99}


def inputs(kind: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, scored ids (a fifth), scores that follow the embeddings with noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, D), dtype=np.float32)
    direction = rng.standard_normal(D).astype(np.float32)
    if kind == "mixture":
        basis = rng.standard_normal((RANK, D)).astype(np.float32) / np.sqrt(RANK)
        centres = 2 * rng.standard_normal((200, RANK)).astype(np.float32)
        for start in range(0, n, 50_000):
            block = x[start : start + 50_000]
            place = centres[rng.integers(200, size=len(block))]
            place = place + rng.standard_normal(place.shape).astype(np.float32)
            block *= 0.1
            block += place @ basis
    ids = np.sort(rng.permutation(n)[: n // 5])
    scores = np.tanh(x[ids] @ direction / np.sqrt(D)) + 0.3 * rng.standard_normal(len(ids))
    return x, ids, scores.astype(np.float32)


def extrapolate(
    x: np.ndarray, ids: np.ndarray, scores: np.ndarray, search: str, threads: int,
    targets: np.ndarray | None = None, told: list[str] | None = None,
) -> np.ndarray:  # fmt: skip
    """Predictions of the targets (None: all unscored)."""
    params = knn.Params(k=K, weights="mean", search=search)
    features = Features(x, threads=threads, told=None if told is None else told.append)
    rng = np.random.default_rng(0)
    out = knn.make(params).fit_predict(features, ids, scores[:, None], params, rng, targets)
    return out.values[others(features, ids) if targets is None else targets, 0]


def measure(kind: str, n: int, search: str, threads: int) -> list[str]:
    """One row of the table."""
    x, ids, scores = inputs(kind, n)
    told: list[str] = []
    found: list[np.ndarray] = []
    seconds = [0.0]

    def work() -> None:
        start = time.perf_counter()
        found.append(extrapolate(x, ids, scores, search, threads, told=told))
        seconds[0] = time.perf_counter() - start

    growth = peak_growth(lambda *_: work(), x)
    features = Features(x, threads=threads)
    unscored = others(features, ids)
    some = np.random.default_rng(1).permutation(len(unscored))[:CHECKED]
    exact = extrapolate(x, ids, scores, "exact", threads, targets=np.sort(unscored[some]))
    agree = spearman(found[0][np.sort(some)], exact) or 0.0
    note = told[0] if told else "exact neighbours"
    return [kind, f"{seconds[0]:.1f}", f"{growth:.2f}", f"{agree:.4f}", note]


def main() -> None:
    """Measure, print, write down; exit 1 when the mixture misses a number."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kinds", nargs="*", default=["mixture", "isotropic"])
    options = parser.parse_args()
    rows = [measure(kind, options.n, "approximate", options.threads) for kind in options.kinds]
    head = (
        f"`python -m benchmarks.ann`: {options.n:,} x {D} float32, {options.n // 5:,} scored, "
        f"k = {K}, {options.threads} threads. {machine()}. Wanted of the mixture: at most "
        f"{WANTED['seconds']:g} s, memory growth at most {WANTED['memory']} x the embeddings, "
        f"rank correlation with exact predictions at least {WANTED['spearman']}."
    )
    lines = ["# Approximate neighbours", "", head, ""]
    lines += ["| data | seconds | memory growth | agreement with exact | what was done |"]
    lines += ["|---|---|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows), ""]
    table = "\n".join(lines)
    print(table)
    if options.n == 1_000_000:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(table, encoding="utf-8")
    _, seconds, growth, agree, _ = rows[0]
    good = float(seconds) <= WANTED["seconds"] and float(growth) <= WANTED["memory"]
    sys.exit(not (good and float(agree) >= WANTED["spearman"]))


if __name__ == "__main__":
    main()
