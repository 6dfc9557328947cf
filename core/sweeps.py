"""Sweep folders: create, find, list; a sweep's cells are run folders inside it.

``RUNS/<4 base32>-<name>/`` with ``sweep.yaml events.jsonl state.json supervisor.log`` and
``cells/<id>/``. A cell's folder appears when the cell has ended, and is made again from sealed
outputs and the sweep's journal when a kill came between.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError, nearest
from core.files import read_json, write_atomic, write_json
from core.locks import hostname
from core.runs import CELLS, SWEEP_FILE, Folder, Run, State, find_run, list_runs, new_folder
from core.sweep_spec import SweepSpec, read_sweep

OPTIONS = "options.json"


@dataclass(frozen=True)
class Sweep(Folder):
    """One sweep folder."""

    @property
    def definition(self) -> Path:
        """``sweep.yaml``."""
        return self.path / SWEEP_FILE

    @property
    def created(self) -> float:
        """When it was made, in seconds since 1970."""
        return self.definition.stat().st_mtime

    def spec(self) -> SweepSpec:
        """The definition."""
        return read_sweep(self.definition)

    def cell(self, cell: str) -> Run:
        """The run folder of a cell; it need not exist yet."""
        return Run(self.path / CELLS / cell)

    def ended_cells(self) -> list[Run]:
        """Cells that have a folder, in order."""
        folder = self.path / CELLS
        if not folder.is_dir():
            return []
        return sorted(
            (Run(p) for p in folder.iterdir() if (p / "spec.yaml").is_file()), key=lambda r: r.id
        )

    def options(self) -> dict[str, object]:
        """How the supervisor was last asked to work."""
        plain = read_json(self.path / OPTIONS)
        return dict(plain) if isinstance(plain, dict) else {}

    def write_options(self, options: dict[str, object]) -> None:
        """Ask the next supervisor to work like this."""
        write_json(self.path / OPTIONS, options)


def create_sweep(runs: Path, spec: SweepSpec, options: dict[str, object]) -> Sweep:
    """A new sweep folder with its definition."""
    sweep = Sweep(new_folder(runs, spec.name))
    sweep.write_options(options)
    sweep.write_state(State(host=hostname(), heartbeat=time.time()))
    write_atomic(sweep.definition, spec.to_yaml().encode())
    return sweep


def list_sweeps(runs: Path) -> list[Sweep]:
    """All sweeps of a folder, newest first."""
    if not runs.is_dir():
        return []
    found = [Sweep(p) for p in runs.iterdir() if (p / SWEEP_FILE).is_file()]
    return sorted(found, key=lambda s: s.created, reverse=True)


def find(runs: Path, text: str) -> Run | Sweep:
    """The run, sweep or cell (``SWEEP/CELL``) with this id, unique prefix or path."""
    as_path = Path(text).expanduser()
    if os.sep in text:
        if (as_path / SWEEP_FILE).is_file():
            return Sweep(as_path.absolute())
        return find_run(runs, text)
    sweeps = list_sweeps(runs)
    found = [s for s in sweeps if s.id == text] or [s for s in sweeps if s.id.startswith(text)]
    others = [r.id for r in list_runs(runs) if r.id.startswith(text)]
    if len(found) == 1 and not others:
        return found[0]
    if found:
        names = ", ".join([*(s.id for s in found), *others][:6])
        raise UserError(f"'{text}' fits {len(found) + len(others)} runs: {names}")
    if sweeps and not others:
        hint = nearest(text, [*(s.id for s in sweeps), *(r.id for r in list_runs(runs))])
        raise UserError(f"no run is called '{text}' in {runs}", hint)
    return find_run(runs, text)
