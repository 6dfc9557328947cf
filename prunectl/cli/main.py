"""The console script: the commands of all files under one name, errors as one line."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from prunectl.cli.commands import about, arrays, data, disk, results, running, tracking


class Commands(TyperGroup):
    """Turns the engine's errors into ``error: what`` and an exit code, and nothing else."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; its return value is the exit code."""
        try:
            code = super().invoke(ctx)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise  # `prunectl ls | head` is no error; Typer ends quietly
            from prunectl.cli import output

            output.fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
            code = output.MACHINE
        except Exception as error:
            from core.errors import PrunectlError
            from prunectl.cli import output

            if not isinstance(error, PrunectlError):
                raise
            output.fail(error.what, error.todo)
            code = error.exit_code
        raise typer.Exit(code or 0)


app = typer.Typer(
    name="prunectl",
    cls=Commands,
    help="Which samples can you drop, what does it cost, and did it pay? "
    "Score a subset, extrapolate, prune, retrain.",
    epilog="Example: prunectl run quickstart",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as of

        print(of("prunectl"))
        raise typer.Exit()


for part in (running, results, disk, about, tracking, arrays):  # in the order of --help
    app.add_typer(part.app)
app.add_typer(data.app, name="data")


def main() -> None:
    """The console script."""
    if sys.platform == "win32":
        sys.exit("error: prunectl runs on Linux and macOS\n  on Windows use WSL")
    from prunectl.cli import output

    output.prepare_streams()
    app(prog_name="prunectl")


if __name__ == "__main__":
    main()
