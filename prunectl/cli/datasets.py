"""What ``prunectl data`` does: prepare (a worker's job), list, show, verify, remove."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich import box
from rich.table import Table

from core.data import cache
from core.data.cache import Entry
from core.data.locations import default_cache_root
from core.errors import PrunectlError, UserError
from core.spec_load import parse_data
from core.spec_set import override
from prunectl import words
from prunectl.cli import output
from prunectl.cli.pace import Pace
from prunectl.jobs import ask

_DECIMALS = 4


def prepare(
    name: str,
    *,
    root: Path | None,
    size: int | None,
    workers: int | None,
    skip_broken: bool,
    assignments: list[str],
    as_json: bool,
) -> int:
    """Have a worker prepare it, and say what came out."""
    section: dict[str, Any] = {"name": name}
    section |= {} if root is None else {"root": str(root)}
    section |= {} if size is None else {"size": size}
    section |= {"skip_broken": True} if skip_broken else {}
    if wrong := [text for text in assignments if not text.startswith("data.")]:
        raise UserError(f"--set {wrong[0]!r} is no key of data", "such as --set data.seed=1")
    data = parse_data(override({"data": section}, assignments)["data"])
    with Pace("pictures" if "skip_broken" in data.params else "samples") as pace:
        job = {"job": "prepare", "data": data.model_dump(mode="json"), "workers": workers}
        try:
            answer = ask(job, pace)
        except KeyboardInterrupt:
            answer = None
    if answer is None:
        kept = "skip_broken" in data.params
        output.say("interrupted" + ("; the same command goes on where it was" if kept else ""))
        return output.INTERRUPTED
    entry = cache.find(default_cache_root(), Path(answer["folder"]).name)
    if as_json:
        output.data_json({"schema": 1, "dataset": about(entry)})
        return output.OK
    known = about(entry)
    output.say(f"{entry.id}: {_contents(known)}")
    if known["broken"]:
        left_out = words.plural(known["broken"], "broken picture")
        output.say(f"{left_out} left out, listed in {entry.folder / 'broken.txt'}")
    output.data(entry.id)
    return output.OK


def listed(*, as_json: bool) -> int:
    """Everything in the cache."""
    folder = default_cache_root()
    found = [about(entry) for entry in cache.entries(folder)]
    if as_json:
        output.data_json({"schema": 1, "datasets": found})
        return output.OK
    if not found:
        output.say(f"nothing is prepared in {folder}")
        return output.OK
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("dataset", "status", "train", "test", "classes", "shape", "disk", "last used"):
        right = column in ("train", "test", "classes", "disk")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in found:
        table.add_row(
            row["id"], row["status"], words.count(row["n_train"]), words.count(row["n_test"]),
            words.count(None if row["classes"] is None else len(row["classes"])),
            _shape(row["input_shape"]), words.size(row["disk_bytes"]),
            words.ago(time.time() - row["used"]),
        )  # fmt: skip
    output.show(table)
    total = words.size(sum(row["disk_bytes"] for row in found))
    output.say(f"{total} in {folder}")
    return output.OK


def info(text: str, *, as_json: bool) -> int:
    """All that is known of one."""
    entry = cache.find(default_cache_root(), text)
    known = about(entry) | _details(entry)
    if as_json:
        output.data_json({"schema": 1, "dataset": known})
        return output.OK
    lines = {
        "dataset": entry.id,
        "status": known["status"] + (f": {entry.why}" if entry.why else ""),
        "folder": known["folder"],
        **{f"data.{key}": value for key, value in known["data"].items() if value is not None},
    }
    if entry.dataset is not None:
        lines["contents"] = _contents(known)
        shares = [f"{name} {n:,}" for name, n in known["per_class"].items()]
        lines["training samples by class"] = ", ".join(shares[:20]) + (
            f" and {len(shares) - 20} more" if len(shares) > 20 else ""
        )
        lines["broken pictures left out"] = known["broken"]
        lines["mean, std"] = f"{known['mean']}, {known['std']}"
        lines["fingerprint"] = known["fingerprint"]
    lines["disk"] = words.size(known["disk_bytes"])
    lines["last used"] = words.ago(time.time() - known["used"])
    width = max(map(len, lines))
    for key, value in lines.items():
        output.data(f"{key:<{width}}  {value}")
    return output.OK


def verify(texts: list[str], *, as_json: bool) -> int:
    """Compare all bytes with the checksums."""
    folder = default_cache_root()
    chosen = [cache.find(folder, text) for text in texts]
    chosen = chosen or [entry for entry in cache.entries(folder) if not entry.unfinished]
    rows = []
    for entry in chosen:
        try:
            cache.verify(entry)
            rows.append({"id": entry.id, "ok": True, "text": "all bytes are as they were written"})
        except PrunectlError as error:
            if isinstance(error, UserError):
                raise
            rows.append({"id": entry.id, "ok": False, "text": str(error)})
    if as_json:
        output.data_json({"schema": 1, "datasets": rows})
    for row in rows if not as_json else ():
        output.data(f"{'ok  ' if row['ok'] else 'FAIL'} {row['id']}  {row['text']}")
    if not rows:
        output.say(f"nothing is prepared in {folder}")
    return output.OK if all(row["ok"] for row in rows) else output.MACHINE


def remove(texts: list[str], *, yes: bool) -> int:
    """Delete some, after asking. All are looked up first: a wrong name removes nothing."""
    folder = default_cache_root()
    chosen = {entry.id: entry for entry in (cache.find(folder, text) for text in texts)}
    size = words.size(sum(entry.disk_bytes() for entry in chosen.values()))
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"{', '.join(chosen)} would be deleted ({size})", "say so with --yes")
        if not typer.confirm(f"delete {', '.join(chosen)} ({size})?", err=True):
            return output.OK
    for entry in chosen.values():
        cache.remove(entry)
        output.say(f"{entry.id} is deleted")
    output.say(f"{size} freed")
    return output.OK


def about(entry: Entry) -> dict[str, Any]:
    """An entry as ``ls --json`` lists it."""
    found = entry.dataset
    validation = 0 if found is None or found.validation is None else len(found.validation)
    return {
        "id": entry.id, "status": entry.status, "folder": str(entry.folder),
        "data": dict(entry.about.get("data") or {}),
        "n_train": found and len(found.train), "n_test": found and len(found.test),
        "n_validation": None if found is None else validation,
        "classes": found and list(found.classes),
        "input_shape": found and list(found.train.input_shape),
        "fingerprint": found and found.fingerprint,
        "broken": _broken(entry), "disk_bytes": entry.disk_bytes(), "used": entry.used,
    }  # fmt: skip


def _details(entry: Entry) -> dict[str, Any]:
    if entry.dataset is None:
        return {}
    train = entry.dataset.train
    labels = train.targets[train.targets >= 0]
    counts = np.bincount(labels, minlength=len(train.classes)).tolist()
    return {
        "per_class": dict(zip(train.classes, counts, strict=True)),
        "mean": [round(value, _DECIMALS) for value in train.mean[:8]],
        "std": [round(value, _DECIMALS) for value in train.std[:8]],
    }


def _broken(entry: Entry) -> int:
    listing = entry.folder / "broken.txt"
    return listing.read_bytes().count(b"\n") if listing.is_file() else 0


def _contents(known: Mapping[str, Any]) -> str:
    parts = [f"{known['n_train']:,} train", f"{known['n_test']:,} test"]
    parts += [f"{known['n_validation']:,} validation"] if known["n_validation"] else []
    classes = f"{len(known['classes'])} classes"
    return ", ".join([*parts, classes, _shape(known["input_shape"])])


def _shape(shape: list[int] | None) -> str:
    """``3x32x32`` for pictures (channels first), ``7 numbers`` for vectors."""
    if shape is None:
        return words.DASH
    return "x".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} numbers"
