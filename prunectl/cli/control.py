"""``resume``, ``stop``, ``attach``, ``logs``: commands for a run that exists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from core.errors import UserError
from core.files import write_atomic
from core.journal import Tail
from core.locks import hostname
from core.runs import (
    Folder,
    Run,
    State,
    find_run,
    list_runs,
    request_stop,
    runs_folder,
    start_worker,
)
from core.sweeps import Sweep, find, list_sweeps
from prunectl.cli import output
from prunectl.cli.live_screen import timed
from prunectl.cli.run import leave
from prunectl.cli.watch import print_results, watch
from prunectl.follow import POLL_SECONDS, Follower
from prunectl.resuming import give_labels, refuse_if_changed


def chosen_run(text: str | None, runs_dir: Path | None) -> Run:
    """The named run, the newest one when none is named."""
    runs = runs_folder(runs_dir)
    if text is not None:
        return find_run(runs, text)
    newest = next(iter(list_runs(runs)), None)
    if newest is None:
        raise UserError(f"there are no runs in {runs}", "start one with: prunectl run quickstart")
    return newest


def chosen(text: str | None, runs_dir: Path | None) -> Run | Sweep:
    """The named run or sweep, the newest one when none is named."""
    runs = runs_folder(runs_dir)
    if text is not None:
        return find(runs, text)
    newest: list[Run | Sweep] = [*list_runs(runs)[:1], *list_sweeps(runs)[:1]]
    if not newest:
        raise UserError(f"there are no runs in {runs}", "start one with: prunectl run quickstart")
    return max(newest, key=lambda f: f.created)


def resume(
    text: str,
    *,
    detach: bool,
    as_json: bool,
    runs_dir: Path | None,
    labels: Path | None = None,
    retry_failed: bool = False,
) -> int:
    """Continue a run where it stopped; a finished one is left as it is, a live one followed."""
    run = chosen(text, runs_dir)
    if isinstance(run, Sweep):
        from prunectl.cli import sweep
        from prunectl.sweep.options import Options

        if labels is not None:
            todo = f"run the cell's own spec: prunectl run {run.path}/cells/CELL/spec.yaml"
            raise UserError("labels are given to a run, not to a sweep", todo)
        options = Options(retry_failed=retry_failed)
        return sweep.resume(run, options, detach=detach, as_json=as_json)
    if retry_failed:
        raise UserError("--retry-failed is for sweeps", f"{run.id} is a run; leave it out")
    refuse_cell(run)
    refuse_if_changed(run)
    if labels is not None:
        output.say(give_labels(run, labels))
    state = run.state()
    if state.status == "finished":
        output.say(f"{run.id} is finished; nothing to do")
        if as_json:
            print_results(run, as_json)
        return output.OK
    if state.alive:
        output.say(f"{run.id} is {state.shown} already")
        return attach(run.id, as_json=as_json, runs_dir=run.runs)
    run.write_state(State(host=hostname(), heartbeat=time.time()))
    follower = Follower(run, start_worker(run))
    follower.skip_history()
    if detach:
        return leave(follower, as_json=as_json)
    return watch(follower, owned=True, as_json=as_json)


def attach(text: str | None, *, as_json: bool, runs_dir: Path | None) -> int:
    """Follow a live run; of another one show how it ended."""
    run = chosen(text, runs_dir)
    if isinstance(run, Sweep):
        from prunectl.cli import sweep

        return sweep.attach(run, as_json=as_json)
    state = run.state()
    follower = Follower(run)
    follower.skip_history()
    if state.alive:
        return watch(follower, owned=False, as_json=as_json)
    reason = f" ({state.reason})" if state.reason else ""
    output.say(f"{run.id} is {state.shown}{reason}")
    if state.status == "finished" or as_json:
        print_results(run, as_json)
    if state.status != "finished":
        output.say(f"continue with: prunectl resume {run.id}")
    return output.OK


def stop(text: str, *, now: bool, runs_dir: Path | None) -> int:
    """Ask a run's worker to stop; of a sweep, what runs may end and nothing more begins."""
    found = chosen(text, runs_dir)
    refuse_cell(found)
    if isinstance(found, Sweep) and not now and found.state().alive:
        write_atomic(found.path / "stop.request", b"finish\n")
        output.say(f"{found.id}: stopping when the tasks that run are done")
        output.say(f"at a checkpoint instead: prunectl cancel {found.id}")
    else:
        output.say(request_stop(found, now=now))
    return output.OK


def cancel(text: str, *, runs_dir: Path | None) -> int:
    """Ask all that runs to stop at a checkpoint."""
    found = chosen(text, runs_dir)
    refuse_cell(found)
    output.say(request_stop(found))
    return output.OK


def refuse_cell(found: Run | Sweep) -> None:
    """UserError for a cell: the process is its sweep's."""
    sweep, _, cell = found.id.partition("/")
    if cell:
        raise UserError(f"{found.id} is a cell of a sweep", f"this is for the sweep: {sweep}")


def logs(text: str | None, *, follow: bool, worker: bool, runs_dir: Path | None) -> int:
    """The journal as lines, or what the worker process printed, on stdout."""
    run = chosen(text, runs_dir)
    lines = _printed(run, follow) if worker else _told(run, follow)
    try:
        for line in lines:
            output.data(line)
    except KeyboardInterrupt:
        return output.INTERRUPTED
    return output.OK


def _told(run: Folder, follow: bool) -> Iterator[str]:
    tail = Tail(run.journal)
    for _ in _until_over(run, follow):
        while records := tail.poll():
            yield from (line for record in records if (line := timed(record)))


def _printed(run: Folder, follow: bool) -> Iterator[str]:
    if not run.log.is_file():
        return
    with open(run.log, encoding="utf-8", errors="replace") as file:
        for _ in _until_over(run, follow):
            rest = file.read()
            if rest:
                yield rest.rstrip("\n")


def _until_over(run: Folder, follow: bool) -> Iterator[None]:
    """Once, or with ``follow`` as long as the worker lives and once after."""
    while follow and run.state().alive:
        yield
        time.sleep(5 * POLL_SECONDS)
    yield
