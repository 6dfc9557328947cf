"""Commands that delete and bring back, and say what lies on the disk."""

from __future__ import annotations

from typing import Annotated

import typer

from prunectl.cli import completion
from prunectl.cli.commands.options import Json, RunsDir, Yes

app = typer.Typer()


@app.command(epilog="Example: prunectl rm k3fa")
def rm(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", autocompletion=completion.run_ids)
    ],
    runs_dir: RunsDir = None,
) -> int:
    """Move runs and sweeps to the trash."""
    from prunectl.cli import trash

    return trash.remove(names, runs_dir)


@app.command(epilog="Example: prunectl restore k3fa")
def restore(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", autocompletion=completion.trashed_ids)
    ],
    runs_dir: RunsDir = None,
) -> int:
    """Bring runs back from the trash."""
    from prunectl.cli import trash

    return trash.restore(names, runs_dir)


@app.command(epilog="Example: prunectl gc --dry-run")
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Yes = False,
    runs_dir: RunsDir = None,
) -> int:
    """Delete for good: results no run refers to, checkpoints of dead runs, the trash."""
    from prunectl.cli import disk

    return disk.gc(dry_run=dry_run, yes=yes, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl du --json")
def du(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Show what each run and the shared store take on the disk."""
    from prunectl.cli import disk

    return disk.du(as_json=as_json, runs_dir=runs_dir)
