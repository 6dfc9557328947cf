"""The prediction of a sweep: every shared task once, its seconds at the rates of its own specs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import sweep_estimate
from core.stages.base import Context
from core.sweep_spec import parse_sweep

Plain = Callable[..., dict[str, Any]]


def _rates(batch: int) -> dict[str, float]:
    return {"train": batch / 1000, "forward": 0.001}


def test_each_task_has_the_seconds_of_its_own_recipe(
    plain_spec: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measured(ctx: Context) -> tuple[dict[str, float], str]:
        asked.append(ctx.graph.specs[0].train.batch)
        return _rates(asked[-1]), "probe"

    monkeypatch.setattr(sweep_estimate, "seconds_per_pass", measured)
    axes = ("train.batch=32,64", "extrapolate.k=5,10", "retrain.epochs=1ep,2ep")
    sweep = parse_sweep(plain_spec(), (), axes)
    found = sweep_estimate.estimate_sweep(sweep, tmp_path, "cpu", 1)
    assert sorted(asked) == [32, 64]
    batch_of = {cell["id"]: cell["settings"]["train.batch"] for cell in found["cells"]}
    for task in found["tasks"]:
        if not task["sample_passes"]:
            assert task["seconds"] == 0
            continue
        (batch,) = {batch_of[cell] for cell in task["cells"]}  # retrain takes it from train
        rate = _rates(batch)["forward" if task["stage"] == "embed" else "train"]
        assert task["seconds"] == pytest.approx(task["sample_passes"] * rate)
    assert {t["stage"] for t in found["tasks"] if t["seconds"]} == {"score", "embed", "retrain"}
    assert found["device_seconds"] == pytest.approx(sum(t["seconds"] for t in found["tasks"]))
    assert found["device_seconds_alone"] > found["device_seconds"] > 0
    assert found["disk_bytes"] > 0 and found["sealed"] == 0
