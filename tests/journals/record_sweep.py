"""Records the sweep in this folder from a real one: ``python tests/journals/record_sweep.py``.

The quickstart sweep made small, with a third axis: a learning rate at which every retraining
diverges, so half of its cells fail. Kept are the sweep's own files, and of two cells (one finished,
one failed) what the console reads when a cell is opened.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from core.locks import hostname

HERE = Path(__file__).parent
SET = (
    "train.epochs=6ep", "score.window.length=3", "model.width=4", "prune.rates=[0.3,0.7]",
    "reference=none", "baselines=[random]", "retrain.epochs=4ep", "retrain.optimizer.name=sgd",
    "tracking.enabled=false",
)  # fmt: skip
AXES = ("extrapolate.k=5,50", "prune.policy=class_balanced,top_k",
        "retrain.optimizer.lr=0.05,1.0e+9")  # fmt: skip
KEPT = ("sweep.yaml", "options.json", "events.jsonl", "state.json")
OF_CELLS = ("spec.yaml", "events.jsonl", "state.json", "summary.json")
CELLS = ("00-*", "01-*")
CELLS_FAILED = 3


def main() -> None:
    """Work on the sweep to its end and keep what a front end reads."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["prunectl", "sweep", "quickstart-sweep", "--seeds", "1", "--jobs", "1", "--yes"]
        command += ["--runs-dir", folder]
        command += [word for text in SET for word in ("--set", text)]
        command += [word for text in AXES for word in ("--axis", text)]
        assert subprocess.run(command, check=False).returncode == CELLS_FAILED
        source = next(Path(folder).glob("*-quickstart-sweep"))
        target = HERE / "sweep"
        shutil.rmtree(target, ignore_errors=True)
        for kept in [*KEPT, *(f"cells/{cell}/{part}" for cell in CELLS for part in OF_CELLS)]:
            for file in source.glob(kept):
                copy = target / file.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                plain = file.read_bytes().replace(f'"{hostname()}"'.encode(), b'"workstation"')
                copy.write_bytes(plain)


if __name__ == "__main__":
    main()
