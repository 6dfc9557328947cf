"""A real sweep whose supervisor and shipper are killed is in MLflow exactly once."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from faults import sweeping
from faults.sweep_story import shown_of, wanted_of
from faults.tracking import end_shipper

from core.locks import holder
from core.sinks import target
from prunectl import tracking


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_mlflow_agrees_after_kills(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    sweep = sweeping.make_sweep(tmp_path, tracking={"enabled": True})
    for _ in range(3):
        process = sweeping.start(sweep)
        sweeping.wait_for_lines(sweep, process, sweeping.lines(sweep) + draw.randrange(5, 60))
        if draw.random() < 0.7:
            with suppress(ProcessLookupError, TypeError, KeyError):
                os.kill(int((holder(target.lock_file(tmp_path)) or {})["pid"]), signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        sweeping.finish(process, sweep)
    assert sweeping.work(sweep) == 0, sweep.log.read_text()
    try:
        tracking.send(tmp_path, [sweep], print)
        found = shown_of(f"sqlite:///{target.database(tmp_path)}", sweep)
    finally:
        end_shipper(tmp_path)
    assert found == wanted_of(sweep)
    assert {one["status"] for one in found.values()} == {"FINISHED"}
