"""Your own pictures in Parquet files: a column of encoded pictures, or of paths, and one of labels.

``data.root`` is a file, or a folder (or its ``data/``) with ``train*.parquet`` and, if there are
such, ``test*.parquet`` (else ``val*``); ``*.parquet`` files of other names are read as one. Without
test files ``data.test_fraction`` is held out, class by class. Pictures are PNG, JPEG or WebP as
bytes, as a Hugging Face struct of bytes and path, or as paths below the file's folder; they are
decoded as ``folder`` does. Labels are integers from 0 (named by Hugging Face's metadata, if any) or
names. Ids follow the sorted file names, then the rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.data._pictures import Collection, bank_bytes, prepare_pictures
from core.data.assemble import check_test_option
from core.data.bank import Dataset
from core.data.base import DataSpec, Progress, refuse_options
from core.data.checks import count, listed
from core.errors import UserError, nearest

TESTS = ("test", "val")
_IMAGES = ("image", "img", "picture", "path", "file", "file_name", "filename", "image_path")
_LABELS = ("label", "labels", "target", "class", "fine_label", "y")
_EXPECTED = "set data.root to a .parquet file, or a folder with train*.parquet and test*.parquet"


@dataclass(frozen=True)
class Params:
    """Options of this source."""

    image: str | None = None
    """Column of the pictures; null looks for image, img, picture, path, file and the like."""
    label: str | None = None
    """Column of the labels; null looks for label, labels, target, class and the like."""
    colour: Literal["rgb", "grey"] = "rgb"
    """What pictures are converted to: 3 channels or 1."""
    skip_broken: bool = False
    """Leave unreadable pictures out and list them in broken.txt, instead of stopping."""


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """The Parquet files, training first."""
    train, test = _find(root, data)
    return [*train, *test]


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of pixels and labels once prepared."""
    params = Params(**data.params)
    return bank_bytes(_Rows(files(root, data), params.image), data.size, params.colour)


def prepare(
    root: Path | None,
    data: DataSpec,
    out: Path,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Dataset:
    """uint8 [N, H, W, 3] (grey: 1), with paths where the files have them."""
    params, (train, test) = Params(**data.params), _find(root, data)
    rows = _Rows([*train, *test], params.image)
    labels = [_labels(part, params.label) for part in (train, test)]
    classes = _classes(train[0], params.label, labels)
    stamps = [(str(f.absolute()), f.stat().st_size, f.stat().st_mtime_ns) for f in rows.files]
    collection = Collection(
        pictures=rows,
        train=_numbers("train", labels[0], classes),
        test=_numbers("test", labels[1], classes) if test else None,
        classes=classes,
        paths=rows.paths,
        key={"files": stamps, "image": rows.column},
    )
    return prepare_pictures(
        data, out, collection, params.colour, params.skip_broken, progress, workers
    )


class _Rows:
    """Pictures as rows of Parquet files, read one batch at a time."""

    def __init__(self, files: list[Path], column: str | None) -> None:
        self.files = files
        readers = [_open(file) for file in files]
        self.column = _column(files[0], readers[0].schema_arrow, column, _IMAGES, "image")
        for file, reader in zip(files, readers, strict=True):
            _check_column(file, reader.schema_arrow, self.column)
        self._counts = [reader.metadata.num_rows for reader in readers]
        if not sum(self._counts):
            raise UserError(f"there are no rows in {files[0]}", _EXPECTED)
        self.paths = self._read_paths(readers)

    def __len__(self) -> int:
        return sum(self._counts)

    def name(self, row: int) -> str:
        if self.paths is not None and self.paths[row]:
            return self.paths[row]
        for file, number in zip(self.files, self._counts, strict=True):
            if row < number:
                return f"{file.name} row {row}"
            row -= number
        raise IndexError(row)

    def chunks(self, rows: int, done: Container[int]) -> Iterator[tuple[int, list[str | bytes]]]:
        waiting: list[str | bytes] = []
        for row, source in self._sources(rows, done):
            chunk = row // rows
            if chunk in done:
                continue
            waiting.append(source)
            if row + 1 == min((chunk + 1) * rows, len(self)):
                yield chunk, waiting
                waiting = []

    def _sources(self, rows: int, done: Container[int]) -> Iterator[tuple[int, str | bytes]]:
        """(row, picture), without the row groups that lie in done chunks only."""
        row = 0
        for file in self.files:
            reader = _open(file)
            for group in range(reader.num_row_groups):
                end = row + reader.metadata.row_group(group).num_rows
                if all(chunk in done for chunk in range(row // rows, -(-end // rows))):
                    row = end
                    continue
                for batch in reader.iter_batches(min(rows, 64), [group], [self.column]):
                    for value in batch.column(0).to_pylist():
                        yield row, _source(value, file.parent)
                        row += 1

    def _read_paths(self, readers: list[Any]) -> list[str] | None:
        import pyarrow.types as types

        kind = readers[0].schema_arrow.field(self.column).type
        struct = types.is_struct(kind) and kind.get_field_index("path") >= 0
        if not struct and not _is_text(kind):
            return None
        column = f"{self.column}.path" if struct else self.column
        found: list[str] = []
        for reader in readers:
            values = reader.read([column]).column(0).to_pylist()
            found += [((v or {}).get("path") if struct else v) or "" for v in values]
        return found if any(found) else None


def _source(value: Any, folder: Path) -> str | bytes:
    """Bytes, or a path below the folder; nothing at all is an empty picture, so a broken one."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str):
        return os.path.join(folder, value)
    return value or b""


def _find(root: Path | None, data: DataSpec) -> tuple[list[Path], list[Path]]:
    """(train, test) files; test is empty where it has to be held out."""
    refuse_options(data, "it has the pictures it has", "n")
    if root is None:
        raise UserError("parquet needs data.root", _EXPECTED)
    train, test = [root], list[Path]()
    if root.is_dir():
        train, test = _parts(root)
    elif not root.is_file():
        raise UserError(f"there is no file or folder {root}", _EXPECTED)
    check_test_option(data, own_test=bool(test))
    return train, test


def _parts(root: Path) -> tuple[list[Path], list[Path]]:
    folders = [folder for folder in (root, root / "data") if any(folder.glob("*.parquet"))]
    if not folders:
        raise UserError(f"there are no .parquet files in {root}", _EXPECTED)
    everything = sorted(folders[0].glob("*.parquet"))
    train = [file for file in everything if file.name.startswith("train")]
    for part in TESTS:
        if train and (test := [file for file in everything if file.name.startswith(part)]):
            return train, test
    return train or everything, []


def _open(file: Path) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(file)
    except ArrowException as error:
        raise UserError(f"{file} is not a readable Parquet file", "write it again") from error


def _column(
    file: Path, schema: Any, wanted: str | None, usual: tuple[str, ...], option: str
) -> str:
    names = list(schema.names)
    if wanted is not None:
        if wanted not in names:
            what = f"{file.name} has no column '{wanted}'"
            raise UserError(what, f"change data.{option}; {nearest(wanted, names)}")
        return wanted
    found = next((name for name in usual if name in names), None)
    if found is None:
        what = f"{file.name} has none of the columns {', '.join(usual)}"
        raise UserError(what, f"set data.{option} to one of its columns: {', '.join(names)}")
    return found


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _check_column(file: Path, schema: Any, column: str) -> None:
    import pyarrow.types as types

    if column not in schema.names:
        raise UserError(f"{file.name} has no column '{column}'", "all files need the same columns")
    kind = schema.field(column).type
    members = {kind.field(i).name for i in range(kind.num_fields)} if types.is_struct(kind) else ()
    plain = types.is_binary(kind) or types.is_large_binary(kind) or _is_text(kind)
    if not plain and not {"bytes", "path"} & set(members):
        what = f"column '{column}' of {file.name} is {kind}"
        raise UserError(what, "it has to hold encoded pictures, paths, or a struct of bytes, path")


def _labels(files: list[Path], column: str | None) -> list[Any]:
    """The labels of all rows, integers or names, none missing."""
    found: list[Any] = []
    for file in files:
        reader = _open(file)
        name = _column(file, reader.schema_arrow, column, _LABELS, "label")
        found += reader.read([name]).column(0).to_pylist()
    missing = [row for row, label in enumerate(found) if label is None]
    if missing:
        what = f"{count(len(missing), 'label')} missing in {files[0].parent}: {listed(missing)}"
        raise UserError(what, "give every picture a label, or leave it out")
    kinds = {type(label) for label in found}
    if len(kinds) > 1 or not kinds <= {int, str, bool}:
        words = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise UserError(f"labels of {files[0].name} are {words}", "use integers from 0, or names")
    return found


def _classes(file: Path, column: str | None, labels: list[list[Any]]) -> list[str]:
    """Hugging Face's names, else the names in train sorted, else the numbers."""
    schema = _open(file).schema_arrow
    name = _column(file, schema, column, _LABELS, "label")
    if labels[0] and isinstance(labels[0][0], str):
        return sorted(set(labels[0]))
    named = _hugging_face_names(schema, name)
    return named or [str(i) for i in range(int(max(labels[0] + labels[1], default=-1)) + 1)]


def _hugging_face_names(schema: Any, column: str) -> list[str]:
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in about["info"]["features"][column]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


def _numbers(part: str, labels: list[Any], classes: list[str]) -> npt.NDArray[np.int64]:
    if not labels or not isinstance(labels[0], str):
        return np.array(labels, dtype=np.int64)
    number = {name: i for i, name in enumerate(classes)}
    strangers = sorted({label for label in labels if label not in number})
    if strangers:
        only = count(len(strangers), "class is", "classes are")
        what = f"{only} only in {part}, not in train: {', '.join(strangers[:5])}"
        raise UserError(what, f"name classes alike; {nearest(strangers[0], classes)}")
    return np.array([number[label] for label in labels], dtype=np.int64)
