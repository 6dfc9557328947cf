"""kNN extrapolation against bare faiss: ``python -m benchmarks.knn``.

50,000 x 512 embeddings, 10,000 scored, k = 20. One round runs every side once, one after the other,
so that a busy machine slows all of them; seconds are medians over the rounds, ratios medians of the
rounds' ratios. Embeddings are rows of length one, so that the default metric and bare faiss find
the same neighbours (checked), and both are timed with everything they need: taking the rows,
building, searching, averaging. Memory is the peak above what is held after imports and inputs,
each side in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from benchmarks import baselines
from core.extrapolators import knn
from core.extrapolators.base import Features, others
from core.extrapolators.choose import choose

N, D, SCORED, K = 50_000, 512, 10_000, 20
RESULT = Path(__file__).parent / "results" / "knn.md"
LIMITS = {"search": 1.15, "choice": 1.25, "memory": 1.5}


def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit rows around 400 centres (25 scored each) and scores that follow them, with noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, D), dtype=np.float32)
    group = rng.integers(400, size=N)
    for c, centre in enumerate(rng.standard_normal((400, D), dtype=np.float32)):
        x[group == c] += centre
    for row in range(0, N, 1000):
        x[row : row + 1000] /= np.linalg.norm(x[row : row + 1000], axis=1, keepdims=True)
    scored = np.sort(rng.permutation(N)[:SCORED])
    truth = rng.standard_normal(400)[group[scored]] + rng.standard_normal(SCORED)
    return x, scored, truth.astype(np.float32)


def sides(threads: int) -> dict[str, Callable[..., object]]:
    """Every side by name; each takes embeddings, scored ids and scores."""

    def search(x, scored, scores):
        params = knn.Params(k=K, weights="mean")
        features = Features(x, threads=threads)
        out = knn.make(params).fit_predict(features, scored, scores[:, None], params, None)
        return out.values[others(features, scored), 0]

    def choice(x, scored, scores):
        return choose(knn.make(knn.Params()), Features(x, threads=threads), scored, scores, 0)

    def bare(x, scored, scores):
        return baselines.bare_neighbours(x, scored, scores, K, threads)

    def naive(x, scored, scores):
        return baselines.naive_membership(x, scored, scores, K, threads)

    def matrix(x, scored, scores):
        return baselines.naive_distance_matrix(x, scored, scores, K, threads)

    return {"bare": bare, "search": search, "choice": choice, "naive": naive, "matrix": matrix}


def peak_growth(run: Callable[..., object], *given: np.ndarray) -> float:
    """Peak resident memory while it runs above that before, in units of the embeddings (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _status("VmRSS")
    run(*given)
    return (_status("VmHWM") - before) / given[0].nbytes


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key + ":"))


@dataclass(frozen=True)
class Figure:
    """One measured number and whether it must hold its limit (a naive side must not)."""

    side: str
    text: str
    value: float
    limit: float
    naive: bool = False

    @property
    def as_it_should(self) -> bool:
        return (self.value > self.limit) == self.naive

    def __str__(self) -> str:
        verdict = "fails" if self.value > self.limit else "holds"
        return f"| {self.side} | {self.text}{self.value:.2f} | {self.limit} | {verdict} |"


def measure(rounds: int, threads: int) -> tuple[list[Figure], list[Figure]]:
    """Figures of time and of memory."""
    given = inputs()
    run = sides(threads)
    same = np.isclose(run["search"](*given), run["bare"](*given), atol=1e-4)
    if same.mean() < 0.999:  # rounding may swap the last of k neighbours here and there
        raise RuntimeError(f"only {same.mean():.2%} of the predictions agree with bare faiss")
    chosen = run["choice"](*given).chosen
    seconds: dict[str, list[float]] = {name: [] for name in ("bare", "search", "choice", "naive")}
    for _ in range(rounds):
        for name, found in seconds.items():
            start = time.perf_counter()
            run[name](*given)
            found.append(time.perf_counter() - start)
    took = {n: f"{np.median(s):.2f} ({min(s):.2f} to {max(s):.2f})" for n, s in seconds.items()}

    def figure(side: str, name: str, limit: str, naive: bool = False) -> Figure:
        ratio = float(np.median(np.divide(seconds[name], seconds["bare"])))
        return Figure(side, f"{took[name]} | {took['bare']} | ", ratio, LIMITS[limit], naive)

    choice = f"with the choice of k (took {chosen['k']}, {chosen['weights']})"
    times = [
        figure(f"kNN extrapolation, k = {K}", "search", "search"),
        figure(choice, "choice", "choice"),
        figure("naive: list membership", "naive", "choice", naive=True),
    ]
    memory = [
        Figure("bare faiss", "", weigh("bare", threads), LIMITS["memory"]),
        Figure("kNN with the choice of k", "", weigh("choice", threads), LIMITS["memory"]),
        Figure("naive: matrix of distances", "", weigh("matrix", threads), LIMITS["memory"], True),
    ]
    return times, memory


def report(times: list[Figure], memory: list[Figure], rounds: int, threads: int) -> str:
    """Both tables as Markdown."""
    return "\n".join(
        [
            "# kNN extrapolation",
            "",
            f"`python -m benchmarks.knn`: {N:,} x {D} float32, {SCORED:,} scored, {rounds} rounds, "
            f"{threads} threads. {machine()}.",
            "",
            "| side | seconds: median (range) | bare faiss, seconds | ratio | limit | |",
            "|---|---|---|---|---|---|",
            *map(str, times),
            "",
            f"Peak memory above inputs; 1 = the embeddings, {N * D * 4 / 2**20:.0f} MiB:",
            "",
            "| side | growth | limit | |",
            "|---|---|---|---|",
            *map(str, memory),
            "",
            "The naive sides must fail: else the limits would catch nothing.",
            "",
        ]
    )


def weigh(name: str, threads: int) -> float:
    """:func:`peak_growth` of one side, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.knn", "--weigh", name, "--threads", str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def machine() -> str:
    """What the figures were taken on."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    return f"{cpu}, {os.cpu_count()} cores, {versions}, faiss {faiss.__version__}"


def main() -> None:
    """Measure, print, write down; exit 1 when a limit is broken or a naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--weigh", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.weigh:
        print(peak_growth(sides(options.threads)[options.weigh], *inputs()))
        return
    times, memory = measure(options.rounds, options.threads)
    table = report(times, memory, options.rounds, options.threads)
    print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(table)
    sys.exit(not all(figure.as_it_should for figure in (*times, *memory)))


if __name__ == "__main__":
    main()
