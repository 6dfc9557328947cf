"""Whether a run may be continued: its spec must be the one it began with. And with which labels."""

from __future__ import annotations

from pathlib import Path

from core.artifacts import dataset_of
from core.errors import UserError
from core.events import RunStarted
from core.journal import read
from core.labels import add_labels
from core.runs import Run
from core.session import differences
from core.spec_load import parse_spec, read_yaml

_NEW_RUN = "change it back, or start a new run with it: prunectl run PATH"


def refuse_if_changed(run: Run) -> None:
    """UserError that names the keys in which ``spec.yaml`` differs from the first start."""
    changed = _changes(run)
    if changed:
        raise UserError(
            f"{run.spec_file} was changed since {run.id} began", "\n".join([*changed, _NEW_RUN])
        )


def give_labels(run: Run, file: Path) -> str:
    """Add labels of chosen samples to a run that waits for them; what was done, in words."""
    state = run.state()
    if state.alive or state.status == "finished":
        raise UserError(f"{run.id} is {state.shown}: it takes no labels", "start a new run")
    spec = parse_spec(read_yaml(run.spec_file), run.spec_file.name)
    dataset, why = dataset_of(run, spec.data)
    if dataset is None:
        raise UserError(f"the labels cannot be checked: {why}", "bring the data back first")
    return f"{add_labels(run, dataset, file):,} new labels for {run.id}"


def _changes(run: Run) -> list[str]:
    """Changed keys as ``key: old -> new``."""
    started = next((r.event for r in read(run.journal) if isinstance(r.event, RunStarted)), None)
    if started is None:
        return []
    now = parse_spec(read_yaml(run.spec_file), run.spec_file.name)
    return differences(started.spec, now.to_dict())
