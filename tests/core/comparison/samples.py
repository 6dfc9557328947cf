"""Runs for comparisons, written by hand: 100 samples, accuracy and cost chosen for easy sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.comparison.entries import Entry, entry

MACHINE = {"host": "h", "device": "cpu", "threads": "1", "precision": "fp32", "torch": "2"}
Key = tuple[str, str | None, float]
RANDOM: Key = ("random", "random", 0.5)
KNN: Key = ("knn", "top_k", 0.5)


def spec(**sections: Any) -> dict[str, Any]:
    """A spec with the sections a comparison looks at."""
    plain: dict[str, Any] = {
        "name": "one",
        "data": {"name": "digits", "root": None, "seed": 0},
        "model": {"name": "convnet", "width": 16},
        "extrapolate": {"name": "knn", "k": 5},
        "retrain": {"epochs": "2ep"},
        "compute": {"device": "auto", "threads": 1, "precision": "auto"},
        "tracking": {"uri": None},
    }
    return {**plain, **sections}


def summary(
    run: str,
    values: Mapping[Key, Mapping[int, float]],
    costs: Mapping[Key, tuple[float, float]],
    fingerprint: str = "f" * 64,
) -> dict[str, Any]:
    """A summary with these accuracies by seed and (seconds, passes) of the loops."""
    trials = [
        {
            "id": f"s{seed}-{method}-{policy or 'none'}-r{rate:.4f}", "seed": seed,
            "method": method, "policy": policy, "rate": rate, "n_kept": round(100 * (1 - rate)),
            "seconds": 1.0, "steps": 10, "sample_passes": 200,
            "metrics": {"test_accuracy": value},
        }
        for (method, policy, rate), by_seed in values.items()
        for seed, value in by_seed.items()
    ]  # fmt: skip
    by_rate = [
        {
            "method": method, "policy": policy, "rate": rate, "loop_seconds": seconds,
            "loop_passes": passes, "saving": 1 - seconds / 10, "saving_passes": 1 - passes / 200,
        }
        for (method, policy, rate), (seconds, passes) in costs.items()
    ]  # fmt: skip
    return {
        "schema": 1, "run": run, "name": "one", "status": "finished", "seeds": [0, 1, 2],
        "data": {"name": "digits", "n_train": 100, "n_test": 50, "classes": 10,
                 "fingerprint": fingerprint},
        "trials": trials, "cost": {"by_rate": by_rate},
    }  # fmt: skip


USUAL: dict[Key, dict[int, float]] = {
    KNN: {0: 0.90, 1: 0.92, 2: 0.97},
    RANDOM: {0: 0.88, 1: 0.91, 2: 0.91},
}
COSTS: dict[Key, tuple[float, float]] = {KNN: (8.0, 160.0), RANDOM: (5.0, 100.0)}


def make(
    run: str = "aaaa-one",
    values: Mapping[Key, Mapping[int, float]] = USUAL,
    costs: Mapping[Key, tuple[float, float]] = COSTS,
    machine: Mapping[str, str] = MACHINE,
    status: str = "finished",
    fingerprint: str = "f" * 64,
    **sections: Any,
) -> Entry:
    """An entry as it is read from a folder."""
    plain = summary(run, values, costs, fingerprint)
    return entry(plain, spec(**sections), machine, run[:4], status)
