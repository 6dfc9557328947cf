"""A small spec, plan and summary, written by hand, for the tests of the front ends."""

from __future__ import annotations

from typing import Any

SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"name": "digits"},
    "model": {"name": "convnet"},
    "subset": {"fraction": 0.2},
    "train": {"epochs": "12ep", "batch": 64},
    "score": {"name": "dynamic_uncertainty", "preset": "legacy_se"},
    "extrapolate": {"name": "knn"},
    "prune": {"rates": [0.5]},
}

PLAN: list[dict[str, Any]] = [
    {"task": "subset-s0", "stage": "subset", "seed": 0, "trial": None, "needs": [],
     "sample_passes": 0},
    {"task": "score-s0", "stage": "score", "seed": 0, "trial": None, "needs": ["subset-s0"],
     "sample_passes": 1000},
    {"task": "retrain-s0-knn-top_k-r0.5000", "stage": "retrain", "seed": 0,
     "trial": "s0-knn-top_k-r0.5000", "needs": ["score-s0"], "sample_passes": 3000},
]  # fmt: skip


def summary(run: str = "abcd-small", status: str = "finished") -> dict[str, Any]:
    """One method, random and full at two rates, three seeds; with a reference."""
    return {
        "schema": 1, "run": run, "name": "small", "status": status, "reason": None,
        "seeds": [0, 1, 2], "versions": {},
        "data": {"name": "digits", "n_train": 1258, "n_test": 539, "classes": 10,
                 "fingerprint": "f"},
        "subset": {"n": 252, "fraction": 0.2},
        "extrapolation": [_extrapolation(0, 20), _extrapolation(1, 10)],
        "trials": [],
        "tradeoff": [
            _point("knn", 0.5, 0.95, {"mean": 0.01, "ci_low": -0.02, "ci_high": 0.04}),
            _point("knn", 0.8, 0.90, {"mean": 0.03, "ci_low": 0.01, "ci_high": 0.05}),
            _point("random", 0.5, 0.94, None),
            _point("random", 0.8, 0.87, None),
            _point("full", 0.0, 0.97, None),
        ],
        "cost": {
            "stages": [
                _stage("score-s0", "score", 10.0, 3000), _stage("score-s1", "score", 12.0, 3000),
                _stage("retrain-s0-a", "retrain", 30.0, 9000, reused=True),
            ],
            "by_rate": [
                _saving("knn", 0.5, 0.25, 0.3), _saving("knn", 0.8, -0.1, 0.6),
                _saving("random", 0.5, 0.5, 0.5), _saving("full", 0.0, 0.0, 0.0),
            ],
            "full_training_seconds": 90.0, "full_measured": True, "break_even_rate": 0.337,
        },
        "artifacts": {"scores": [{"seed": 0, "path": "scores/seed-0.parquet"}], "models": [],
                      "report": None},
        "mlflow": None,
    }  # fmt: skip


def _extrapolation(seed: int, k: int) -> dict[str, Any]:
    return {
        "seed": seed, "method": "knn", "score": "dynamic_uncertainty",
        "chosen": {"k": k, "weights": "mean"},
        "heldout": {"spearman": 0.61, "ci_low": 0.5, "ci_high": 0.7, "pearson": 0.6, "n": 50,
                    "against": "subset_scores"},
        "reference": {
            "spearman": 0.41, "pearson": 0.4, "ceiling_spearman": 0.55,
            "reliability_spearman": 0.66,
            "kept_recall": [{"rate": 0.5, "value": 0.6 + seed / 10}],
        },
        "crossfit": None, "coverage80": None,
    }  # fmt: skip


def _point(
    method: str, rate: float, mean: float, versus: dict[str, float] | None
) -> dict[str, Any]:
    return {
        "method": method, "policy": "top_k", "rate": rate, "metric": "test_accuracy",
        "mean": mean, "std": 0.01, "n": 3, "vs_random": versus,
    }  # fmt: skip


def _stage(
    task: str, stage: str, seconds: float, passes: int, *, reused: bool = False
) -> dict[str, Any]:
    return {
        "task": task, "stage": stage, "seed": 0, "trial": None, "seconds": seconds,
        "sample_passes": passes, "flops": None, "peak_memory_bytes": None, "reused": reused,
    }  # fmt: skip


def _saving(method: str, rate: float, saving: float, passes: float) -> dict[str, Any]:
    return {
        "method": method, "policy": "top_k", "rate": rate, "loop_seconds": 1.0, "saving": saving,
        "saving_passes": passes,
    }  # fmt: skip
