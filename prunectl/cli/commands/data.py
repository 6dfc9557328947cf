"""``prunectl data ...``: the commands and their words; :mod:`prunectl.cli.datasets` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunectl.cli import completion
from prunectl.cli.commands.options import Json, Yes

app = typer.Typer(
    help="Prepare datasets, list, check and remove what is prepared.",
    epilog="Example: prunectl data prepare folder --root pictures --size 64",
    no_args_is_help=True,
)

_ID = "Id or unique prefix, as `prunectl data ls` shows it."
Ids = Annotated[
    list[str], typer.Argument(metavar="ID...", help=_ID, autocompletion=completion.dataset_ids)
]


@app.command(epilog="Example: prunectl data prepare folder --root pictures --size 64")
def prepare(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Source: `prunectl plugins dataset` lists them.",
            autocompletion=completion.sources,
        ),
    ],
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder or file that holds the data.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Side pictures are brought to.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Decoding processes; else one a core.")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave unreadable pictures out, into a list.")
    ] = False,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="data.KEY=VALUE", help="Change a key; repeatable, YAML."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Read a dataset once, so that runs open it at once. A run does it too, if need be."""
    from prunectl.cli import datasets

    return datasets.prepare(
        name, root=root, size=size, workers=workers, skip_broken=skip_broken,
        assignments=assign or [], as_json=as_json,
    )  # fmt: skip


@app.command(epilog="Example: prunectl data ls --json")
def ls(as_json: Json = False) -> int:
    """List what is prepared, last used first."""
    from prunectl.cli import datasets

    return datasets.listed(as_json=as_json)


@app.command(epilog="Example: prunectl data info folder-3f2a")
def info(
    name: Annotated[
        str, typer.Argument(metavar="ID", help=_ID, autocompletion=completion.dataset_ids)
    ],
    as_json: Json = False,
) -> int:
    """Show all that is known of one prepared dataset."""
    from prunectl.cli import datasets

    return datasets.info(name, as_json=as_json)


@app.command(epilog="Example: prunectl data verify folder-3f2a")
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Else all.", autocompletion=completion.dataset_ids),
    ] = None,
    as_json: Json = False,
) -> int:
    """Read every byte and compare with the checksums; exit code 4 when one differs."""
    from prunectl.cli import datasets

    return datasets.verify(names or [], as_json=as_json)


@app.command(epilog="Example: prunectl data rm folder-3f2a --yes")
def rm(
    names: Ids,
    yes: Yes = False,
) -> int:
    """Delete prepared data; the source is not touched, and a run prepares it again."""
    from prunectl.cli import datasets

    return datasets.remove(names, yes=yes)
