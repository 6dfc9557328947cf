"""``prunectl sweep``: from a preset with axes to a supervisor that is followed, or left alone;
and what ``resume``, ``attach`` and ``show`` do with a sweep."""

from __future__ import annotations

import time
from pathlib import Path

from rich.text import Text

from core.errors import UserError
from core.locks import hostname
from core.runs import REPORT, State, runs_folder
from core.sweep_spec import MANY_CELLS, SweepSpec, parse_sweep
from core.sweeps import Sweep, create_sweep, list_sweeps
from core.units import Seconds
from prunectl import tracking, words
from prunectl.cli import output, sweep_dryrun
from prunectl.cli.sweep_live import SweepBars, SweepLines, cell_table
from prunectl.cli.watch import Signals, reached_end
from prunectl.follow import Follower
from prunectl.presets import all_presets, load_mapping
from prunectl.sweep import table
from prunectl.sweep.options import Options
from prunectl.sweep.predict import predict
from prunectl.sweep.start import start_supervisor
from prunectl.sweep.view import SweepView, apply


def sweep(
    source: str | None,
    preset: str | None,
    assignments: list[str],
    axes: list[str],
    options: Options,
    *,
    seeds: int | None,
    dry_run: bool,
    detach: bool,
    yes: bool,
    as_json: bool,
    runs_dir: Path | None,
) -> int:
    """The command; returns the exit code."""
    runs = runs_folder(runs_dir)
    known = None if preset else _existing(runs, source)
    if known is not None:
        if assignments or axes or seeds is not None or dry_run:
            todo = "start a new sweep from a preset to change it"
            raise UserError(f"{known.id} exists; its cells are fixed", todo)
        return resume(known, options, detach=detach, as_json=as_json)
    if options.retry_failed:
        raise UserError("--retry-failed is for a sweep that exists", "name its id")
    spec = _definition(source, preset, assignments, axes, seeds)
    if spec.count > MANY_CELLS and not yes:
        todo = f"planning holds them all in memory; --yes if you mean it (limit {MANY_CELLS:,})"
        raise UserError(f"{spec.count:,} cells", todo)
    cells = spec.cells()
    if dry_run:
        return _dry_run(spec, options, runs, as_json=as_json)
    if not yes:
        sweep_dryrun.ask_if_long(spec, options, runs)
    folder = create_sweep(runs, spec, options.to_dict())
    follower = _follow(folder, start_supervisor(folder), newborn=True)
    if detach:
        return _leave(follower, as_json=as_json)
    output.say(
        f"{folder.id}: {words.plural(len(cells), 'cell')} (prunectl stop {folder.id}; Ctrl-C stops "
        "it too)"
    )
    return _watch(follower, owned=True, as_json=as_json)


def _dry_run(spec: SweepSpec, options: Options, runs: Path, *, as_json: bool) -> int:
    found = predict(spec, options, runs)
    if as_json:
        output.data_json(found)
    else:
        sweep_dryrun.show(found, spec)
    return output.OK


def seconds(text: str | None) -> float | None:
    """``--cell-timeout``: "90s", "10m", "1h"."""
    if text is None:
        return None
    try:
        return Seconds.parse(text).value
    except ValueError as error:
        raise UserError(f"--cell-timeout: {error}") from None


def _existing(runs: Path, source: str | None) -> Sweep | None:
    """The sweep that a source names, unless it is a preset's name."""
    if source is None or source in {p.name for p in all_presets()}:
        return None
    found = [s for s in list_sweeps(runs) if s.id.startswith(source) and len(source) >= 2]
    return found[0] if len(found) == 1 else None


def _definition(
    source: str | None, preset: str | None, assignments: list[str], axes: list[str],
    seeds: int | None,
) -> SweepSpec:  # fmt: skip
    if source and preset:
        raise UserError(f"both '{source}' and --preset {preset} are given", "give one of them")
    chosen = preset or source
    if not chosen:
        known = ", ".join(p.name for p in all_presets())
        raise UserError("nothing to sweep is named", f"give a preset ({known}) or a spec.yaml")
    mapping, _ = load_mapping(chosen)
    if seeds is not None:
        if seeds < 1:
            raise UserError(f"--seeds {seeds}: at least one seed", "such as --seeds 3")
        assignments = [*assignments, f"seeds={list(range(seeds))}"]
    return parse_sweep(mapping, assignments, axes)


def resume(sweep: Sweep, options: Options, *, detach: bool, as_json: bool) -> int:
    """Go on with a sweep; one that is worked on is followed."""
    state = sweep.state()
    if state.alive:
        output.say(f"{sweep.id} is {state.shown} already, by process {state.pid}")
        return attach(sweep, as_json=as_json)
    view = table.view_of(sweep)
    failed = sum(cell.status == "failed" for cell in view.cells.values())
    if state.status == "finished" or (_complete(view) and not options.retry_failed):
        output.say(f"{sweep.id} is {state.shown}; nothing to do")
        if failed:
            again = f"prunectl resume {sweep.id} --retry-failed"
            output.say(f"{words.plural(failed, 'cell')} failed; try again with: {again}")
        if as_json:
            output.data_json(table.about(sweep, view))
        return output.CELLS_FAILED if failed else output.OK
    wanted = Options.of(sweep.options()).changed(options)
    sweep.write_options(wanted.to_dict())
    sweep.write_state(State(host=hostname(), heartbeat=time.time()))
    extra = ("--retry-failed",) if options.retry_failed else ()
    follower = _follow(sweep, start_supervisor(sweep, extra))
    follower.skip_history()
    if detach:
        return _leave(follower, as_json=as_json)
    return _watch(follower, owned=True, as_json=as_json)


def _complete(view: SweepView) -> bool:
    return bool(view.cells) and all(cell.ended for cell in view.cells.values())


def attach(sweep: Sweep, *, as_json: bool) -> int:
    """Follow a sweep that is worked on; of another one show how it ended."""
    follower = _follow(sweep, None)
    follower.skip_history()
    if sweep.state().alive:
        return _watch(follower, owned=False, as_json=as_json)
    return show(sweep, as_json=as_json)


def show(sweep: Sweep, *, as_json: bool) -> int:
    """A sweep's cells and what they reached so far."""
    view = table.view_of(sweep)
    if as_json:
        output.data_json(table.about(sweep, view))
        return output.OK
    state = sweep.state()
    reason = f" ({state.reason})" if state.reason and state.reason != state.status else ""
    output.show(Text.assemble((sweep.id, "bold"), f"  {state.shown}{reason}"))
    _print_cells(view)
    for cell in view.cells.values():
        if cell.status == "failed":
            output.say(f"{cell.id} failed: {cell.what}")
    if state.alive:
        output.say(f"follow it with: prunectl attach {sweep.id}")
    elif not _complete(view):
        output.say(f"continue with: prunectl resume {sweep.id}")
    return output.OK


def _print_cells(view: SweepView) -> None:
    if view.cells:
        output.show("", cell_table(list(view.cells.values()), view))
        rates = {cell.figures.get("rate") for cell in view.cells.values() if cell.figures}
        at = ", ".join(words.number(rate, 2) for rate in sorted(r for r in rates if r is not None))
        note = f"accuracy and saving in percent at prune rate {at}, mean over seeds"
        output.show(Text(f"{note}; held-out rank correlation is optimistic", style="italic"))


def _follow(sweep: Sweep, process: object, *, newborn: bool = False) -> Follower[Sweep]:
    return Follower(
        sweep,
        process,  # type: ignore[arg-type]  # a Popen or None
        newborn=newborn,
        view=SweepView(),
        apply=apply,
    )


def _watch(follower: Follower[Sweep], *, owned: bool, as_json: bool) -> int:
    sweep, console = follower.run, output.narrator()
    screen = SweepBars(console, sweep.id) if output.live_terminal() else SweepLines(console)
    with Signals() as signals:
        if not reached_end(follower, screen, signals, "sweep", owned=owned):
            return signals.exit_code
        return _last_word(follower, signals, as_json)


def _last_word(follower: Follower[Sweep], signals: Signals, as_json: bool) -> int:
    sweep, ending, view = follower.run, follower.ending, follower.view
    assert ending is not None and isinstance(view, SweepView)
    if _forgotten(follower):
        error = ending.error(sweep, view)
        output.fail(error.what, error.todo)
        return error.exit_code
    if as_json:
        output.data_json(table.about(sweep, view))
    else:
        _print_cells(view)
    if ending.status == "finished":
        _say_next_steps(sweep)
        return output.OK
    if ending.status == "stopped" or (ending.status == "dead" and signals.count):
        output.say(f"{sweep.id} stopped; continue with: prunectl resume {sweep.id}")
        return signals.exit_code
    if ending.reason == "cells_failed":
        failed = [cell for cell in view.cells.values() if cell.status == "failed"]
        for cell in failed:
            output.say(f"{cell.id} failed: {cell.what}")
        what = f"{len(failed)} of {len(view.cells)} cells failed"
        output.fail(what, f"try them again with: prunectl resume {sweep.id} --retry-failed")
        return output.CELLS_FAILED
    error = ending.error(sweep, view)
    output.fail(error.what, error.todo)
    return error.exit_code


def _say_next_steps(sweep: Sweep) -> None:
    code = sweep.id.partition("-")[0]
    text = tracking.word(sweep)
    if text is not None:
        output.say(text)
    output.say(f"side by side:      prunectl compare {code}")
    if (sweep.path / REPORT).is_file():
        output.say(f"a page to send on: {sweep.path / REPORT}")
    output.say(f"results of a cell: prunectl show {sweep.id}/CELL")


def _leave(follower: Follower[Sweep], *, as_json: bool) -> int:
    """Wait until the sweep has begun, or was refused, and name it on stdout."""
    sweep = follower.run
    for _ in follower.until_end():
        if follower.view.tasks or follower.refresh_state().behind:
            break
    ending = follower.ending
    if ending is not None and ending.status not in ("finished", "stopped"):
        error = ending.error(sweep, follower.view)
        output.fail(error.what, error.todo)
        _forgotten(follower)
        return error.exit_code
    if as_json:
        output.data_json({"schema": 1, "sweep": sweep.id, "path": str(sweep.path)})
    else:
        output.data(sweep.id)
        output.say(f"follow it with: prunectl attach {sweep.id}")
    return output.OK


def _forgotten(follower: Follower[Sweep]) -> bool:
    """A new sweep that was refused before any work leaves no folder; whether it was."""
    return follower.forget_if_stillborn()
