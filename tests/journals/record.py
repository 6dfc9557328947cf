"""Records the journals in this folder from real runs: ``python tests/journals/record.py``.

finished: an undisturbed run. resumed: killed with SIGKILL twice and resumed. diverged: a learning
rate that rises to 1e9. Everything in a run folder that a front end reads is kept; nothing else.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.harness import SPEC, Checkpoints, Match, make_run, work

HERE = Path(__file__).parent
SHOWN: dict[str, Any] = {
    "seeds": [0, 1, 2],
    "model": {"name": "convnet", "width": 8},
    "subset": {"fraction": 0.2},
    "train": {"epochs": "8ep", "batch": 64, "evaluate": "1ep"},
    "prune": {"policy": "class_balanced", "rates": [0.3, 0.7]},
    "baselines": ["random", "full", "subset_only"],
}
KEPT = ("spec.yaml", "events.jsonl", "state.json", "summary.json", "refs.json", "scores", "kept")


def record(name: str, deaths: list[Match], expected: int, **changes: Any) -> None:
    """Make a run, kill it as asked, work on it to its end, keep what front ends read."""
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder), **{**SHOWN, "name": name, **changes})
        for die in deaths:
            assert work(run, die, after=True) == -9
        assert work(run) == expected
        shutil.rmtree(HERE / name, ignore_errors=True)
        (HERE / name).mkdir()
        for part in KEPT:
            source = run.path / part
            if source.is_dir():
                shutil.copytree(source, HERE / name / part)
            elif source.exists():
                shutil.copy(source, HERE / name / part)
        for file in (HERE / name).glob("*.*"):  # nothing of this machine stays in
            file.write_bytes(file.read_bytes().replace(_host(), b'"workstation"'))


def _host() -> bytes:
    from core.locks import hostname

    return f'"{hostname()}"'.encode()


if __name__ == "__main__":
    few = {"seeds": [0], "prune": {"rates": [0.5]}, "baselines": ["random"]}
    calm = {**SPEC["compute"], "checkpoint_every": "600s"}
    record("finished", [], 0, compute=calm)
    record("resumed", [Checkpoints("score", 4), Checkpoints("retrain", 20)], 0, **few)
    hot = {
        **SHOWN["train"],
        "epochs": "20ep",
        "optimizer": {"name": "sgd", "lr": 1e9},
        "schedule": {"name": "cosine", "warmup": 0.9},
    }
    record("diverged", [], 1, **few, train=hot)
