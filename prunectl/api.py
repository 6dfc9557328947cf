"""Runs from Python: start one, wait for it, read what it found.

    from prunectl import run, open_run
    result = run("quickstart", set={"train.epochs": "6ep"})
    result.summary["cost"]["break_even_rate"]
    open_run("k3fa").kept("s0-knn-top_k-r0.5000")

The work happens in the run's own process, as with ``prunectl run``; nothing here imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import Popen
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import artifacts, journal
from core.errors import NeedsLabels, Stopped, UserError
from core.events import Event
from core.export import Selection, select
from core.runs import Run, State, create_run, find_run, request_stop, runs_folder, start_worker
from core.spec import Spec
from core.spec_load import parse_spec, read_yaml
from prunectl.follow import Follower
from prunectl.presets import load_spec
from prunectl.view import View, apply

Source = str | Path | Mapping[str, Any]


class RunHandle:
    """One run folder: its state, its results, and the process behind it if it is ours."""

    def __init__(
        self, folder: Run, process: Popen[bytes] | None = None, *, newborn: bool = False
    ) -> None:
        self._run = folder
        self._process = process
        self._newborn = newborn

    def __repr__(self) -> str:
        return f"<run {self.id}: {self.state.shown}>"

    @property
    def id(self) -> str:
        """The folder's name."""
        return self._run.id

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._run.path

    @property
    def state(self) -> State:
        """What the worker last said; ``state.shown`` is the status for people."""
        return self._run.state()

    @property
    def spec(self) -> Spec:
        """The complete spec."""
        return parse_spec(read_yaml(self._run.spec_file), str(self._run.spec_file))

    @property
    def summary(self) -> dict[str, Any]:
        """``summary.json``. UserError while there is none."""
        found = self._run.summary()
        if found is None:
            raise UserError(f"{self.id} has no results yet ({self.state.shown})", "wait() for it")
        return found

    def events(self) -> Iterator[Event]:
        """The journal so far, oldest first."""
        return (record.event for record in journal.read(self._run.journal))

    def view(self) -> View:
        """The journal so far, reduced: tasks, curves, correlations, metrics."""
        view = View()
        for record in journal.read(self._run.journal):
            apply(view, record)
        return view

    def scores(self, seed: int) -> dict[str, NDArray[Any]]:
        """Columns of ``scores/seed-S.parquet``, each ``[N]``, ordered by sample id."""
        return artifacts.read_scores(self._run, seed)

    def kept(self, trial: str) -> NDArray[np.int64]:
        """Ids a trial kept, sorted, int64 ``[n_keep]``."""
        return artifacts.read_kept(self._run, trial)

    def select(self, rate: float, method: str | None = None, seed: int | None = None) -> Selection:
        """What ``prunectl export`` writes: ``.ids`` to keep at ``rate``, of one seed or of all
        together, with paths and labels where the run has them."""
        return select(self._run, rate, method, seed)

    def predictions(self, trial: str) -> NDArray[np.int32]:
        """Predicted classes of the test set, int32 ``[n_test]``."""
        return artifacts.read_predictions(self._run, trial)

    def wait(self, on_event: Callable[[Event], None] = lambda _: None) -> RunHandle:
        """Follow the run to its end and return self. Raises what made it fail, or Stopped."""
        follower = Follower(self._run, self._process, newborn=self._newborn)
        for records in follower.until_end():
            for record in records:
                on_event(record.event)
        ending = follower.ending
        assert ending is not None  # until_end ends with one
        if ending.reason == NeedsLabels.kind:
            return self  # state.reason says so; no failure
        if ending.status == "stopped":
            raise Stopped(f"{self.id} was stopped", f"continue with: prunectl resume {self.id}")
        if ending.status != "finished":
            error = ending.error(self._run, follower.view)
            follower.forget_if_stillborn()
            raise error
        return self

    def stop(self) -> str:
        """Ask the worker to stop gracefully; what was done, in words."""
        return request_stop(self._run)


def run(
    source: Source,
    *,
    set: Mapping[str, Any] | None = None,  # noqa: A002  # named after the option --set
    device: str | None = None,
    seeds: int | None = None,
    runs_dir: str | Path | None = None,
    fresh: bool = False,
    wait: bool = True,
    on_event: Callable[[Event], None] = lambda _: None,
) -> RunHandle:
    """Run a preset, a spec file or a mapping; with ``wait`` return when it is finished.

    ``set`` maps "section.key" to values. Raises UserError, MachineError or RunFailure, as the
    command line would exit with 2, 4 or 1. Ctrl-C while waiting asks the worker to stop.
    """
    texts = [f"{key}={json.dumps(value)}" for key, value in (set or {}).items()]
    spec = load_spec(source, texts, device=device, seeds=seeds)
    folder = create_run(runs_folder(Path(runs_dir) if runs_dir else None), spec)
    process = start_worker(folder, ("--fresh",) if fresh else ())
    handle = RunHandle(folder, process, newborn=True)
    if not wait:
        return handle
    try:
        return handle.wait(on_event)
    except KeyboardInterrupt:
        handle.stop()
        raise


def open_run(run_id: str, runs_dir: str | Path | None = None) -> RunHandle:
    """A run by id, unique prefix of an id, or path."""
    return RunHandle(find_run(runs_folder(Path(runs_dir) if runs_dir else None), run_id))
