"""What a run was predicted to cost, kept beside what it did cost: ``predicted.json``.

Written once: by the front end that asked for an estimate before the start, else by the worker as
soon as it knows how long a pass takes. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.files import read_json, write_json
from core.runs import Run

SCHEMA = 1
SOURCES = {
    "seals": "from earlier runs on this device",
    "probe": "from a short probe on this device",
    "own": "from this run's own first retraining",
}


@dataclass(frozen=True)
class Predicted:
    """A prediction made before its tasks ran."""

    source: str
    """Where seconds per pass came from: a key of ``SOURCES``."""
    device: str
    tasks: Mapping[str, float]
    """Seconds by task id; tasks that had begun when it was made are not in it."""
    full_seconds: float | None = None
    break_even_rate: float | None = None

    @property
    def about(self) -> str:
        """Where the seconds come from, in words."""
        return SOURCES.get(self.source, self.source)


def of_estimate(estimate: Mapping[str, Any]) -> Predicted:
    """The part of an estimate (``run --dry-run --json``) that is compared with what happens."""
    tasks = {str(t["task"]): float(t["seconds"]) for t in estimate.get("tasks") or ()}
    return Predicted(
        str(estimate.get("source")), str(estimate.get("device")), tasks,
        estimate.get("full_seconds"), estimate.get("break_even_rate"),
    )  # fmt: skip


def write_predicted(run: Run, predicted: Predicted) -> None:
    """Keep it in the run folder; MachineError when the disk refuses."""
    write_json(run.predicted_file, {"schema": SCHEMA, **asdict(predicted)})


def read_predicted(run: Run) -> Predicted | None:
    """What was predicted, None where nothing was, or by a newer version, or not readably."""
    plain = read_json(run.predicted_file)
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        return None
    try:
        return Predicted(
            str(plain["source"]), str(plain["device"]),
            {str(k): float(v) for k, v in plain["tasks"].items()},
            plain.get("full_seconds"), plain.get("break_even_rate"),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
