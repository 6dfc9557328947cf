"""What a command about several runs is given: runs, and sweeps that stand for their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.comparison.cells import absent, cells_of
from core.runs import Run
from core.sweeps import Sweep, find

_CODE = 4


@dataclass
class Chosen:
    """Runs by path, with the sweep each is a cell of."""

    runs: dict[Path, tuple[Run, Sweep | None]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def add(self, run: Run, sweep: Sweep | None = None) -> None:
        """One more, if it is not there."""
        self.runs.setdefault(run.path, (run, sweep))

    def labels(self) -> list[str]:
        """Cells of a sweep that stands alone by their ids, others by the start of theirs."""
        sweeps = {sweep.path if sweep else None for _, sweep in self.runs.values()}
        if len(sweeps) == 1 and None not in sweeps:
            return [path.name for path in self.runs]
        short = [_short(run, sweep) for run, sweep in self.runs.values()]
        return short if len(set(short)) == len(short) else [r.id for r, _ in self.runs.values()]


def _short(run: Run, sweep: Sweep | None) -> str:
    return run.id[:_CODE] if sweep is None else f"{sweep.id[:_CODE]}/{run.path.name}"


def chosen_of(folder: Path, names: Sequence[str]) -> Chosen:
    """The named runs, and the cells of the named sweeps, each once."""
    chosen = Chosen()
    for name in names:
        found = find(folder, name)
        if isinstance(found, Sweep):
            cells = cells_of(found)
            chosen.absent += absent(found, cells)
            for run in cells.runs.values():
                chosen.add(run, found)
        else:
            chosen.add(found)
    return chosen
