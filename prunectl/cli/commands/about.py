"""Commands that say what there is: presets, plug-ins, this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from prunectl.cli import completion
from prunectl.cli.commands.options import Json, RunsDir

app = typer.Typer()


@app.command(epilog="Example: prunectl presets quickstart > my.yaml")
def presets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET", help="Print its text.", autocompletion=completion.preset_names
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """List the presets, or print one."""
    from prunectl.cli import listing

    return listing.presets(name, as_json=as_json)


@app.command(epilog="Example: prunectl plugins score")
def plugins(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND", help="Only this kind, with options.", autocompletion=completion.kinds
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """List what a spec can name: datasets, models, scores, extrapolators, policies."""
    from prunectl.cli import listing

    return listing.plugins(kind, as_json=as_json)


@app.command(epilog="Example: prunectl doctor --json")
def doctor(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Check python, packages, device, disk and folders."""
    from prunectl.cli import doctor as command

    return command.doctor(as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl where")
def where(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Print every path prunectl uses."""
    from prunectl.cli import doctor as command

    return command.where(as_json=as_json, runs_dir=runs_dir)
