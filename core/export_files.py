"""A kept set as files: npy, txt, csv, parquet, and a folder of links in the ImageFolder layout."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from core.errors import UserError
from core.export import Selection
from core.files import disk_errors, write_atomic

FORMATS = ("npy", "txt", "csv", "parquet")
TEXTS = ("txt", "csv")


def encode(selection: Selection, form: str) -> bytes:
    """The set as the bytes of a file. npy: sorted int64 ids. txt: a path a line, ids where the
    source has no paths. csv and parquet: id, path, label and what the choice rests on."""
    return _ENCODERS[form](selection)


def save(selection: Selection, form: str, out: Path) -> None:
    """Write the set into ``out``, whole or not at all. UserError without its folder."""
    if out.is_dir() or not out.absolute().parent.is_dir():
        where = "is a folder" if out.is_dir() else "lies in a folder that does not exist"
        raise UserError(f"--out {out} {where}", "name a file in a folder that exists")
    write_atomic(out.absolute(), encode(selection, form))


def columns(selection: Selection) -> dict[str, Any]:
    """The columns of csv and parquet, each ``[n]``; those the run does not have are left out."""
    found = {
        "id": selection.ids, "path": selection.paths, "label": selection.labels,
        "score": selection.score, "mean_rank": selection.mean_rank, "kept_by": selection.kept_by,
    }  # fmt: skip
    return {name: column for name, column in found.items() if column is not None}


def _npy(selection: Selection) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, selection.ids, allow_pickle=False)
    return buffer.getvalue()


def _txt(selection: Selection) -> bytes:
    return lines(selection.ids.tolist() if selection.paths is None else selection.paths)


def lines(values: Sequence[Any]) -> bytes:
    """One value a line. UserError for a path that holds a line break."""
    texts = [str(value) for value in values]
    broken = next((text for text in texts if "\n" in text or "\r" in text), None)
    if broken is not None:
        raise UserError(f"a path holds a line break: {broken!r}", "use --format csv or parquet")
    return "".join(f"{text}\n" for text in texts).encode("utf-8", "surrogateescape")


def _csv(selection: Selection) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    named = columns(selection)
    writer.writerow(named)
    plain = (c if isinstance(c, list) else c.tolist() for c in named.values())
    writer.writerows(zip(*plain, strict=True))
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def _parquet(selection: Selection) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(columns(selection)), buffer)
    return buffer.getvalue()


_ENCODERS: dict[str, Callable[[Selection], bytes]] = {
    "npy": _npy, "txt": _txt, "csv": _csv, "parquet": _parquet,
}  # fmt: skip


def link_folder(
    selection: Selection, root: Path, classes: Sequence[str], out: Path
) -> dict[str, int]:
    """Make ``out``: one folder a class with a symbolic link to every kept file below ``root``, as
    torchvision's ImageFolder reads it. Links by class; samples without a label are left out.

    UserError when the source has no files, a file is gone, or ``out`` is not empty; ``out`` appears
    whole or not at all.
    """
    places = _places(selection, root, classes)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists already", "name a new or an empty folder")
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    with disk_errors(out):
        try:
            for place, target in places.items():
                (partial / place).parent.mkdir(parents=True, exist_ok=True)
                (partial / place).symlink_to(target)
            if out.exists():
                out.rmdir()
            partial.replace(out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    found: dict[str, int] = {}
    for place in places:
        found[place.parts[0]] = found.get(place.parts[0], 0) + 1
    return found


def _places(selection: Selection, root: Path, classes: Sequence[str]) -> dict[PurePosixPath, Path]:
    """Where each link lies below the new folder, and what it points to."""
    if selection.paths is None or selection.labels is None:
        raise UserError("the samples of this run are no files", "export their ids instead")
    places: dict[PurePosixPath, Path] = {}
    gone: list[Path] = []
    for sample, path, label in zip(selection.ids, selection.paths, selection.labels, strict=True):
        if label < 0:
            continue
        target = (root / path).absolute()
        if not target.is_file():
            gone.append(target)
            continue
        place = _place(PurePosixPath(path), classes[int(label)])
        if place in places:  # two folders of the source become one here
            place = place.with_name(f"{place.stem}-{sample}{place.suffix}")
        places[place] = target
    if gone:
        what = f"{len(gone)} of {len(selection.ids)} kept files are gone, the first is {gone[0]}"
        raise UserError(what, "put them back where the run read them, or export the ids")
    return places


def _place(path: PurePosixPath, name: str) -> PurePosixPath:
    """``train/cat/sub/1.png`` of class cat as ``cat/sub/1.png``; without the class's folder in the
    path only the file's name stays."""
    folder = name.replace("/", "_")
    parents = path.parts[:-1]
    if name not in parents:
        return PurePosixPath(folder, path.name)
    below = len(parents) - 1 - parents[::-1].index(name)
    return PurePosixPath(folder, *path.parts[below + 1 :])
