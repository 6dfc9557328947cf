"""Commands that show and hand on what runs have found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunectl.cli import completion
from prunectl.cli.commands.options import Json, OptionalRun, RunId, RunsDir

app = typer.Typer()


@app.command(epilog="Example: prunectl ls --json")
def ls(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """List the runs and sweeps, newest first."""
    from prunectl.cli import listing

    return listing.runs(as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl show k3fa --json > summary.json")
def show(name: OptionalRun = None, as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Show a run's or a sweep's results."""
    from prunectl.cli import listing

    return listing.show(name, as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl compare k3fa m2qd --baseline random --markdown")
def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|SWEEP...",
            help="Ids, unique prefixes or paths; a sweep stands for its cells.",
            autocompletion=completion.run_ids,
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="METHOD|RUN", help="What to compare with; else random."),
    ] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, one line a figure.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Markdown tables.")] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Compare runs: what differs, accuracy with paired intervals, cost, the Pareto front."""
    from prunectl.cli import compare as command

    return command.compare(
        names, baseline=baseline, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown,
        runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl export k3fa --rate 0.5 --out kept.npy")
def export(
    name: RunId,
    rate: Annotated[float, typer.Option(metavar="R", help="The pruned fraction.")],
    method: Annotated[
        str | None, typer.Option(metavar="M", help="Else the run's own method.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Else the consensus of all seeds.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="F", help="npy, txt, csv or parquet; else by --out, txt."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Else stdout; npy and parquet: a new file.")
    ] = None,
    how: Annotated[
        tuple[str, Path] | None,
        typer.Option("--as", metavar="links DIR", help="A folder of links to the kept files."),
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Into npy: rows of the source in the place of ids.")
    ] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Write which samples to keep: ids, or the paths of their files."""
    from prunectl.cli import export as command

    return command.export(
        name, rate, method=method, seed=seed, form=form, out=out, how=how, rows=rows,
        runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl report k3fa --open")
def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|SWEEP...",
            help="One, or several for a page that compares; else the newest.",
            autocompletion=completion.run_ids,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Else report.html in its folder.")
    ] = None,
    show_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Write results of a run, of a sweep or of several side by side, as one HTML page."""
    from prunectl.cli import report as command

    return command.report(names or [], out=out, show_it=show_it, runs_dir=runs_dir)
