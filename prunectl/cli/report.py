"""``report``: a run as one HTML page, written by a worker: it loads what a front end may not."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from core.errors import UserError
from prunectl.cli import output
from prunectl.cli.control import chosen_run
from prunectl.jobs import ask


def report(name: str | None, *, out: Path | None, show_it: bool, runs_dir: Path | None) -> int:
    """Write the page; its path is printed."""
    run = chosen_run(name, runs_dir)
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        where = "is a folder" if out.is_dir() else "lies in a folder that does not exist"
        raise UserError(f"--out {out} {where}", "name a file in a folder that exists")
    target = str(out.absolute()) if out is not None else None
    answer = ask({"job": "report", "run": str(run.path), "out": target})
    output.data(answer["path"])
    if show_it and not webbrowser.open(Path(answer["path"]).as_uri()):
        output.say("no browser was found; open the file yourself")
    return output.OK
