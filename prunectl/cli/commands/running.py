"""Commands that start runs and sweeps, or deal with those that work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunectl.cli import completion
from prunectl.cli.commands.options import (
    Assign,
    Detach,
    DryRun,
    Json,
    OptionalRun,
    Preset,
    RunId,
    RunsDir,
    run_argument,
)

app = typer.Typer()


@app.command(epilog="Example: prunectl run quickstart --set train.epochs=20ep --seeds 5")
def run(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET|SPEC.yaml",
            help="What to run.",
            autocompletion=completion.preset_names,
        ),
    ] = None,
    preset: Preset = None,
    assign: Assign = None,
    device: Annotated[
        str | None, typer.Option(metavar="D", help="auto, cpu, cuda:0 or mps.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Seeds 0 to N-1.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute all of it again, reuse nothing.")
    ] = False,
    dry_run: DryRun = False,
    detach: Detach = False,
    as_json: Json = False,
    runs_dir: RunsDir = None,
) -> int:
    """Run a preset or a spec: subset, score, extrapolate, prune, retrain."""
    from prunectl.cli import run as command

    return command.run(
        source, preset, assign or [], device=device, seeds=seeds, fresh=fresh, dry_run=dry_run,
        detach=detach, as_json=as_json, runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl sweep quickstart --axis extrapolate.k=5,10 --jobs 2")
def sweep(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET|SPEC.yaml|SWEEP",
            help="What to vary, or a sweep that exists.",
            autocompletion=completion.preset_names,
        ),
    ] = None,
    preset: Preset = None,
    assign: Assign = None,
    axis: Annotated[
        list[str] | None,
        typer.Option("--axis", metavar="SECTION.KEY=A,B", help="Vary a key; repeatable, YAML."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Seeds 0 to N-1, in every cell.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Tasks at a time; CPU: else the cores.")
    ] = None,
    devices: Annotated[
        str | None, typer.Option(metavar="0,1", help="CUDA devices, or cpu; else all there are.")
    ] = None,
    slots_per_device: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="Tasks at a time on one device.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Of a sweep that exists: failed cells again.")
    ] = False,
    max_failures: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Begin nothing more after N failed cells."),
    ] = None,
    cell_timeout: Annotated[
        str | None, typer.Option(metavar="T", help="Longest time for one task, such as 30m.")
    ] = None,
    dry_run: DryRun = False,
    detach: Detach = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, however much it is.")] = False,
    as_json: Json = False,
    runs_dir: RunsDir = None,
) -> int:
    """Run every combination of some settings; what they share is computed once."""
    from prunectl.cli import sweep as command
    from prunectl.sweep.options import Options

    options = Options(
        jobs, devices, slots_per_device, max_failures, command.seconds(cell_timeout), retry_failed
    )
    return command.sweep(
        source, preset, assign or [], axis or [], options, seeds=seeds, dry_run=dry_run,
        detach=detach, yes=yes, as_json=as_json, runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl resume k3fa --labels labels.csv")
def resume(
    name: RunId,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labels of chosen samples; CSV: id or path, label."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Of a sweep: failed cells again.")
    ] = False,
    detach: Detach = False,
    as_json: Json = False,
    runs_dir: RunsDir = None,
) -> int:
    """Continue a stopped, failed or killed run or sweep where it was."""
    from prunectl.cli import control

    return control.resume(
        name, detach=detach, as_json=as_json, runs_dir=runs_dir, labels=labels,
        retry_failed=retry_failed,
    )  # fmt: skip


@app.command(epilog="Example: prunectl attach k3fa")
def attach(name: OptionalRun = None, as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Follow a run that works in the background; Ctrl-C detaches."""
    from prunectl.cli import control

    return control.attach(name, as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl tui k3fa --read-only")
def tui(
    name: Annotated[
        str | None,
        run_argument("Id, unique prefix or path of a run or sweep; else the list of runs."),
    ] = None,
    runs_dir: RunsDir = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Start, stop and delete nothing.")
    ] = False,
    plain: Annotated[bool, typer.Option("--ascii", help="Charts and marks in ASCII.")] = False,
    low_bandwidth: Annotated[
        bool, typer.Option("--low-bandwidth", help="Redraw at most once a second.")
    ] = False,
    no_mouse: Annotated[
        bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")
    ] = False,
    theme: Annotated[
        str | None, typer.Option(metavar="NAME", help="dark, light, safe or mono.")
    ] = None,
) -> int:
    """Open the console: runs, curves, trade-off, cost, samples. Closing it hurts no run."""
    from prunectl.tui import terminal

    return terminal.tui(
        name,
        runs_dir=runs_dir,
        read_only=read_only,
        plain=plain,
        low_bandwidth=low_bandwidth,
        mouse=not no_mouse,
        theme=theme,
    )


@app.command(epilog="Example: prunectl stop k3fa")
def stop(
    name: RunId,
    now: Annotated[bool, typer.Option("--now", help="Kill it, without a checkpoint.")] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Stop a run at a checkpoint, a sweep when its running tasks are done; both can be resumed."""
    from prunectl.cli import control

    return control.stop(name, now=now, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl cancel k3fa")
def cancel(name: RunId, runs_dir: RunsDir = None) -> int:
    """Stop a run, or all tasks of a sweep, at a checkpoint; both can be resumed."""
    from prunectl.cli import control

    return control.cancel(name, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl logs -f k3fa")
def logs(
    name: OptionalRun = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    worker: Annotated[
        bool, typer.Option("--worker", help="What the process printed instead.")
    ] = False,
    runs_dir: RunsDir = None,
) -> int:
    """What happened in a run, one line an event."""
    from prunectl.cli import control

    return control.logs(name, follow=follow, worker=worker, runs_dir=runs_dir)
