"""``prunectl run``: from a preset or a file to a worker that is followed, or left alone."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.runs import Run, create_run, runs_folder, start_worker
from core.spec import Spec
from prunectl.cli import dryrun, output
from prunectl.cli.watch import watch
from prunectl.follow import Follower
from prunectl.presets import all_presets, load_spec


def run(
    source: str | None,
    preset: str | None,
    assignments: list[str],
    *,
    device: str | None,
    seeds: int | None,
    fresh: bool,
    dry_run: bool,
    detach: bool,
    as_json: bool,
    runs_dir: Path | None,
) -> int:
    """The command; returns the exit code."""
    spec = load_spec(_one_of(source, preset), assignments, device=device, seeds=seeds)
    runs = runs_folder(runs_dir)
    if dry_run:
        return dryrun.dry_run(spec, runs, as_json=as_json)
    return _start(spec, runs, fresh=fresh, detach=detach, as_json=as_json)


def _one_of(source: str | None, preset: str | None) -> str:
    if source and preset:
        raise UserError(f"both '{source}' and --preset {preset} are given", "give one of them")
    chosen = preset or source
    if not chosen:
        known = ", ".join(p.name for p in all_presets())
        raise UserError("nothing to run is named", f"give a preset ({known}) or a spec.yaml")
    return chosen


def _start(spec: Spec, runs: Path, *, fresh: bool, detach: bool, as_json: bool) -> int:
    folder = create_run(runs, spec)
    follower = Follower(folder, start_worker(folder, ("--fresh",) if fresh else ()), newborn=True)
    if detach:
        return leave(follower, as_json=as_json)
    output.say(f"{folder.id} (prunectl stop {folder.id}; Ctrl-C stops it too)")
    return watch(follower, owned=True, as_json=as_json)


def leave(follower: Follower[Run], *, as_json: bool) -> int:
    """Wait until the run has begun, or was refused, and name it on stdout."""
    for _ in follower.until_end():
        if follower.view.tasks or follower.refresh_state().behind:
            break
    ending = follower.ending
    if ending is not None and ending.status not in ("finished", "stopped"):
        error = ending.error(follower.run, follower.view)
        output.fail(error.what, error.todo)
        follower.forget_if_stillborn()
        return error.exit_code
    if as_json:
        output.data_json({"schema": 1, "run": follower.run.id, "path": str(follower.run.path)})
    else:
        output.data(follower.run.id)
        output.say(f"follow it with: prunectl attach {follower.run.id}")
    return output.OK
