"""``rm`` and ``restore``: runs go to a trash beside them and come back."""

from __future__ import annotations

from pathlib import Path

from core.runs import remove_run, restore_run, runs_folder
from core.sweeps import find
from prunectl.cli import output


def remove(texts: list[str], runs_dir: Path | None) -> int:
    """Move runs and sweeps to the trash. All are looked up first: a wrong name removes nothing."""
    runs = runs_folder(runs_dir)
    for run in [find(runs, text) for text in texts]:
        remove_run(run.runs, run)
        output.say(f"{run.id} is in the trash (prunectl restore {run.id})")
    return output.OK


def restore(texts: list[str], runs_dir: Path | None) -> int:
    """Bring runs back from the trash."""
    runs = runs_folder(runs_dir)
    for text in texts:
        output.say(f"{restore_run(runs, text).id} is back")
    return output.OK
