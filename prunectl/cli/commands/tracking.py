"""Commands about MLflow."""

from __future__ import annotations

from typing import Annotated

import typer

from prunectl.cli.commands.options import RunsDir, run_argument

app = typer.Typer()


@app.command(epilog="Example: prunectl sync k3fa")
def sync(
    name: Annotated[str | None, run_argument("Id, unique prefix or path; else all.")] = None,
    runs_dir: RunsDir = None,
) -> int:
    """Send to MLflow what is not there yet, and wait for it."""
    from prunectl.cli import tracking

    return tracking.sync(name, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl ui --port 5001")
def ui(
    port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Else the next from 5000.")
    ] = None,
    runs_dir: RunsDir = None,
) -> int:
    """Open MLflow's own UI on the runs, on this machine only."""
    from prunectl.cli import tracking

    return tracking.ui(port=port, runs_dir=runs_dir)
