"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prunectl.cli import completion


def run_argument(text: str) -> Any:
    """The argument that names a run."""
    return typer.Argument(metavar="RUN", help=text, autocompletion=completion.run_ids)


RunId = Annotated[str, run_argument("Id, unique prefix or path.")]
OptionalRun = Annotated[str | None, run_argument("Id, unique prefix or path; else the newest.")]
RunsDir = Annotated[
    Path | None,
    typer.Option("--runs-dir", metavar="DIR", help="Else $PRUNECTL_RUNS, else ./runs."),
]
Preset = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The same, by name.", autocompletion=completion.preset_names),
]
Assign = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a key; repeatable, YAML."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only predict the cost.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Detach = Annotated[bool, typer.Option("--detach", help="Leave it running and return its id.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
