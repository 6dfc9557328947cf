"""``report``: a run as one HTML page, written by a worker: it loads what a front end may not."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from core.errors import UserError
from prunectl.cli import output
from prunectl.cli.control import chosen_run
from prunectl.jobs import ask


def report(names: Sequence[str], *, out: Path | None, show_it: bool, runs_dir: Path | None) -> int:
    """Write the page about one run, or about several; its path is printed."""
    named = [chosen_run(name, runs_dir) for name in names] or [chosen_run(None, runs_dir)]
    runs = list({run.path: run for run in named}.values())
    if len(runs) > 1 and out is None:
        raise UserError("a page about several runs has no folder of its own", "name it with --out")
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        where = "is a folder" if out.is_dir() else "lies in a folder that does not exist"
        raise UserError(f"--out {out} {where}", "name a file in a folder that exists")
    target = str(out.absolute()) if out is not None else None
    paths = [str(run.path) for run in runs]
    which = {"run": paths[0]} if len(paths) == 1 else {"runs": paths}
    answer = ask({"job": "report", **which, "out": target})
    output.data(answer["path"])
    if show_it and not webbrowser.open(Path(answer["path"]).as_uri()):
        output.say("no browser was found; open the file yourself")
    return output.OK
