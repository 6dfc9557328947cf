"""``report``: a run as one HTML page, written by a worker: it loads what a front end may not."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.runs import runs_folder
from core.sweeps import Sweep
from prunectl.choice import chosen_of
from prunectl.cli import output
from prunectl.cli.control import chosen
from prunectl.jobs import ask


def report(names: Sequence[str], *, out: Path | None, show_it: bool, runs_dir: Path | None) -> int:
    """Write the page about a run, a sweep, or several of them; its path is printed."""
    job = _about(names, out, runs_dir)
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        where = "is a folder" if out.is_dir() else "lies in a folder that does not exist"
        raise UserError(f"--out {out} {where}", "name a file in a folder that exists")
    target = str(out.absolute()) if out is not None else None
    answer = ask({"job": "report", **job, "out": target})
    output.data(answer["path"])
    if show_it and not webbrowser.open(Path(answer["path"]).as_uri()):
        output.say("no browser was found; open the file yourself")
    return output.OK


def _about(names: Sequence[str], out: Path | None, runs_dir: Path | None) -> dict[str, Any]:
    if len(set(names)) < 2:
        found = chosen(names[0] if names else None, runs_dir)
        return {"sweep" if isinstance(found, Sweep) else "run": str(found.path)}
    if out is None:
        raise UserError("a page about several runs has no folder of its own", "name it with --out")
    several = chosen_of(runs_folder(runs_dir), names)
    return {"runs": [str(path) for path in several.runs], "labels": several.labels()}
