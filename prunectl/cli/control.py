"""``resume``, ``stop``, ``attach``, ``logs``: commands for a run that exists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from core.errors import UserError
from core.journal import Tail
from core.locks import hostname
from core.runs import Run, State, find_run, list_runs, request_stop, runs_folder, start_worker
from prunectl.cli import output
from prunectl.cli.live import timed
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


def resume(
    text: str, *, detach: bool, as_json: bool, runs_dir: Path | None, labels: Path | None = None
) -> int:
    """Continue a run where it stopped; a finished one is left as it is, a live one followed."""
    run = find_run(runs_folder(runs_dir), text)
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
        return attach(run.id, as_json=as_json, runs_dir=run.path.parent)
    run.write_state(State(host=hostname(), heartbeat=time.time()))
    follower = Follower(run, start_worker(run))
    follower.skip_history()
    if detach:
        return leave(follower, as_json=as_json)
    return watch(follower, owned=True, as_json=as_json)


def attach(text: str | None, *, as_json: bool, runs_dir: Path | None) -> int:
    """Follow a live run; of another one show how it ended."""
    run = chosen_run(text, runs_dir)
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
    """Ask a run's worker to stop."""
    output.say(request_stop(find_run(runs_folder(runs_dir), text), now=now))
    return output.OK


def logs(text: str | None, *, follow: bool, worker: bool, runs_dir: Path | None) -> int:
    """The journal as lines, or what the worker process printed, on stdout."""
    run = chosen_run(text, runs_dir)
    lines = _printed(run, follow) if worker else _told(run, follow)
    try:
        for line in lines:
            output.data(line)
    except KeyboardInterrupt:
        return output.INTERRUPTED
    return output.OK


def _told(run: Run, follow: bool) -> Iterator[str]:
    tail = Tail(run.journal)
    for _ in _until_over(run, follow):
        while records := tail.poll():
            yield from (line for record in records if (line := timed(record)))


def _printed(run: Run, follow: bool) -> Iterator[str]:
    if not run.log.is_file():
        return
    with open(run.log, encoding="utf-8", errors="replace") as file:
        for _ in _until_over(run, follow):
            rest = file.read()
            if rest:
                yield rest.rstrip("\n")


def _until_over(run: Run, follow: bool) -> Iterator[None]:
    """Once, or with ``follow`` as long as the worker lives and once after."""
    while follow and run.state().alive:
        yield
        time.sleep(5 * POLL_SECONDS)
    yield
