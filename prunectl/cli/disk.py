"""``du`` and ``gc``: what a runs folder takes on the disk, and deleting what nobody needs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.table import Table

from core.errors import UserError
from core.housekeeping import Garbage, Kind, collect, find_garbage, usage
from core.runs import runs_folder
from prunectl import words
from prunectl.cli import output

_KINDS: dict[Kind, tuple[str, str]] = {
    "store": ("stored result", "to which no run refers"),
    "checkpoints": ("set", "of checkpoints of dead runs"),
    "temporary": ("half-written result", ""),
    "trash": ("run", "in the trash"),
}


def du(*, as_json: bool, runs_dir: Path | None) -> int:
    """Bytes per run and of what runs share."""
    folder = runs_folder(runs_dir)
    if not folder.is_dir():
        raise UserError(f"there is no runs folder {folder}", "name it with --runs-dir")
    found = usage(folder)
    if as_json:
        plain = {**asdict(found), "schema": 1, "path": str(folder)}
        plain["runs"] = [{**asdict(row), "path": str(row.path)} for row in found.runs]
        output.data_json(plain)
        return output.OK
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("run", no_wrap=True)
    for name in ("own folder", "in the store", "of it not shared"):
        table.add_column(name, justify="right")
    for row in found.runs:
        sizes = (row.folder, row.store, row.store_own)
        table.add_row(row.run, *(words.size(size) for size in sizes))
    rest = Table.grid(padding=(0, 2))
    for name, size in (
        ("store, once for all runs", found.store),
        ("  of it nobody refers to", found.unreferenced),
        ("  of it checkpoints", found.checkpoints),
        ("trash", found.trash),
        ("other (tracking, logs)", found.other),
        ("all", found.total),
    ):
        rest.add_row(name, words.size(size))
    output.show(table, "", rest)
    return output.OK


def gc(*, dry_run: bool, yes: bool, runs_dir: Path | None) -> int:
    """Delete what nobody needs, after asking."""
    folder = runs_folder(runs_dir)
    garbage = find_garbage(folder)
    _tell(garbage)
    if dry_run or not garbage.items:
        return output.OK
    if not yes and not _confirmed():
        raise UserError("nothing was deleted", "say so with --yes, or look with --dry-run")
    deleted = collect(folder)
    output.say(f"{words.size(deleted.bytes())} deleted")
    return output.OK


def _tell(garbage: Garbage) -> None:
    if garbage.busy:
        output.say("a run is at work: the store is left alone; run gc again when it has ended")
    if not garbage.items:
        output.say("there is nothing to delete")
    for kind, (noun, which) in _KINDS.items():
        count = sum(item.kind == kind for item in garbage.items)
        if count:
            named = f"{words.plural(count, noun)} {which}".rstrip()
            output.data(f"{named}: {words.size(garbage.bytes(kind))}")


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("delete them for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
