"""Sends one sweep: as a run, but that summaries and files lie in its cells' folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.runs import CELLS, SWEEP_FILE
from core.sinks import target
from core.sinks.nodes import PARENT, RUNNING, Node
from core.sinks.projection import Projection
from core.sinks.shipping import REPORT, Artifact, RunShipper
from core.sinks.sweep_projection import SweepProjection
from core.sweeps import Sweep


class SweepShipper(RunShipper):
    """One sweep on its way."""

    def __init__(self, sweep: Sweep, where: target.Target) -> None:
        self.sweep = sweep
        self._cells = SweepProjection()
        super().__init__(sweep, where)

    def _projected(self) -> Projection:
        return self._cells

    def _conclude(self) -> None:
        """Add what the cells' summaries know, now that the sweep is over."""
        found: dict[str, Any] = {}
        for run in self.sweep.ended_cells():
            summary = run.summary()
            if summary is not None:
                found[run.path.name] = summary
        self._cells.conclude_cells(
            found, lambda cell, path: self._digest(self.run.path / CELLS / cell / path)
        )

    def _complete_summary(self, run_id: str) -> None:
        """The cells are in MLflow as the sweep's run."""
        for cell in self.sweep.ended_cells():
            self._complete(cell.summary_file, run_id)

    def _files(self, node: Node) -> Iterator[Artifact]:
        """The artifacts of a node that is over."""
        if node.status == RUNNING:
            return
        if node.id != PARENT:
            if "trial" in node.tags:
                folder = f"{CELLS}/{self._cells.cell_of(node)}/kept"
                yield from self._existing(f"{folder}/{node.tags['trial']}.npy", "kept")
        elif not self.alive:
            for name in (SWEEP_FILE, REPORT):
                yield from self._existing(name, None)
            for cell in self.sweep.ended_cells():
                folder = f"{CELLS}/{cell.path.name}"
                yield from self._existing(f"{folder}/summary.json", folder)
