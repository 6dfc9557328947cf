"""Your own pictures: a folder with one folder a class (ImageFolder), PNG, JPEG or WebP.

``data.root`` holds ``train/CLASS/...`` and ``test/CLASS/...`` (or ``val/``), or just ``CLASS/...``,
of which ``data.test_fraction`` is held out, class by class. Classes are the names of the class
folders, sorted; ids follow the sorted paths. With ``data.size`` the shorter side is brought to that
many pixels and the middle square kept; without it all pictures must be of one size. Colours become
RGB, transparency is laid over white, EXIF orientation is applied. Hidden files are passed over.
``data.unlabelled`` names a folder of pictures without a label, which come after the labelled ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.data import _broken
from core.data._pictures import Collection, bank_bytes, prepare_pictures
from core.data._scan import Entry, Scan, pictures_in, scan
from core.data.assemble import check_test_option
from core.data.bank import Dataset
from core.data.base import DataSpec, Progress, refuse_options
from core.data.checks import check_classes, count
from core.errors import UserError, nearest

TRAIN, TESTS = "train", ("test", "val", "valid", "validation")
_LAYOUT = "put pictures into ROOT/train/CLASS/ and ROOT/test/CLASS/, or into ROOT/CLASS/"
_SHOWN = 5


@dataclass(frozen=True)
class Params:
    """Options of this source."""

    colour: Literal["rgb", "grey"] = "rgb"
    """What pictures are converted to: 3 channels or 1."""
    test_folder: str | None = None
    """Folder with the test pictures beside train; null takes test, else val."""
    unlabelled: str | None = None
    """Folder with training pictures that have no label, beside train or the class folders."""
    skip_broken: bool = False
    """Leave unreadable pictures out and list them in broken.txt, instead of stopping."""


@dataclass(frozen=True)
class _Found:
    """The class folders of train and, where there is one, of test."""

    root: Path
    train: Scan
    test: Scan | None
    unlabelled: list[Entry] = field(default_factory=list)

    def entries(self) -> Iterator[Entry]:
        """All pictures, the training ones first, in the order of their ids."""
        for pictures in self.train.classes.values():
            yield from pictures
        yield from self.unlabelled
        for pictures in self.test.classes.values() if self.test else ():
            yield from pictures


class _Files:
    """Pictures as files below a folder."""

    def __init__(self, root: Path, paths: list[str]) -> None:
        self._root = root
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def name(self, row: int) -> str:
        return self._paths[row]

    def chunks(self, rows: int, done: Container[int]) -> Iterator[tuple[int, list[str | bytes]]]:
        for chunk in range(-(-len(self._paths) // rows)):
            if chunk not in done:
                some = self._paths[chunk * rows : (chunk + 1) * rows]
                yield chunk, [os.path.join(self._root, path) for path in some]


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """The folder, once it is known to hold a dataset; :func:`identity` says what is in it."""
    return [_find(root, data).root]


def identity(root: Path | None, data: DataSpec) -> object:
    """Folder, number of pictures and a hash over path, size and time of change of each."""
    return _key(_find(root, data))


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of pixels and labels once prepared."""
    found = _find(root, data)
    return bank_bytes(_files(found), data.size, Params(**data.params).colour)


def prepare(
    root: Path | None,
    data: DataSpec,
    out: Path,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Dataset:
    """uint8 [N, H, W, 3] (grey: 1), with each picture's path below the root."""
    params, found = Params(**data.params), _find(root, data)
    classes = list(found.train.classes)
    paths = [path for path, _, _ in found.entries()]
    collection = Collection(
        pictures=_Files(found.root, paths),
        train=np.append(_labels(found.train, classes), np.full(len(found.unlabelled), -1)),
        test=None if found.test is None else _labels(found.test, classes),
        classes=classes,
        paths=paths,
        key=_key(found),
    )
    return prepare_pictures(
        data, out, collection, params.colour, params.skip_broken, progress, workers
    )


def _files(found: _Found) -> _Files:
    return _Files(found.root, [path for path, _, _ in found.entries()])


def _labels(part: Scan, classes: list[str]) -> npt.NDArray[np.int64]:
    number = {name: i for i, name in enumerate(classes)}
    counts = [len(pictures) for pictures in part.classes.values()]
    return np.repeat([number[name] for name in part.classes], counts).astype(np.int64)


def _key(found: _Found) -> dict[str, object]:
    sha, number = hashlib.sha256(), 0
    for path, size, changed in found.entries():
        sha.update(f"{path}\0{size}\0{changed}\0".encode("utf-8", "surrogateescape"))
        number += 1
    return {"root": os.path.abspath(found.root), "pictures": number, "files": sha.hexdigest()}


def _find(root: Path | None, data: DataSpec) -> _Found:
    """Look and check everything that can be known without opening a picture."""
    refuse_options(data, "it has the pictures it has", "n")
    if root is None:
        raise UserError("folder needs data.root", f"set it to a folder of pictures; {_LAYOUT}")
    if not root.is_dir():
        what = (
            f"data.root {root} is not a folder" if root.exists() else f"there is no folder {root}"
        )
        raise UserError(what, f"set data.root to a folder of pictures; {_LAYOUT}")
    params = Params(**data.params)
    test = _test_folder(root, params.test_folder)
    unlabelled = _unlabelled(root, params.unlabelled)
    if not _has_parts(root):
        found = _Found(root, scan(root), None, unlabelled)
        found.train.classes.pop(params.unlabelled or "", None)
        _check_train(root, found.train)
    else:
        tested = None if test is None else scan(root, test)
        found = _Found(root, scan(root, TRAIN), tested, unlabelled)
        _check_train(root / TRAIN, found.train)
    if test is not None and found.test is not None:
        _check_test(root / test, found.test, found.train)
    check_test_option(data, own_test=found.test is not None)
    return found


def _has_parts(root: Path) -> bool:
    """Whether ``train`` is a part and not a class called train (which holds pictures itself)."""
    if not (root / TRAIN).is_dir():
        return False
    if any(_folders(root / TRAIN)):
        return True
    return all(name in (TRAIN, *TESTS) for name in _folders(root))


def _test_folder(root: Path, wanted: str | None) -> str | None:
    if wanted is not None and not (root / wanted).is_dir():
        there = nearest(wanted, _folders(root))
        raise UserError(f"data.test_folder: there is no folder {root / wanted}", there)
    return wanted or next((name for name in TESTS if (root / name).is_dir()), None)


def _unlabelled(root: Path, wanted: str | None) -> list[Entry]:
    """Pictures of the folder of unlabelled ones; none when no such folder is named."""
    if wanted is None:
        return []
    if wanted not in _folders(root) or wanted in (TRAIN, *TESTS):
        others = [name for name in _folders(root) if name not in (TRAIN, *TESTS)]
        raise UserError(f"data.unlabelled: '{wanted}' is no folder for it", nearest(wanted, others))
    found = pictures_in(root, wanted)
    if not found:
        raise UserError(f"there are no pictures in {root / wanted}", "leave data.unlabelled out")
    return found


def _folders(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if not p.name.startswith(".") and p.is_dir()]


def _check_train(folder: Path, train: Scan) -> None:
    _check_part(folder, train)
    if empty := [name for name, pictures in train.classes.items() if not pictures]:
        what = f"{count(len(empty), 'class folder')} without pictures in {folder}: {_some(empty)}"
        raise UserError(what, "remove them or add pictures")
    check_classes(list(train.classes))


def _check_test(folder: Path, test: Scan, train: Scan) -> None:
    _check_part(folder, test)
    for name in [name for name, pictures in test.classes.items() if not pictures]:
        del test.classes[name]
    if strangers := [name for name in test.classes if name not in train.classes]:
        only = count(len(strangers), "class is", "classes are")
        what = f"{only} only in test, not in train: {_some(strangers)}"
        raise UserError(what, f"name class folders alike; {nearest(strangers[0], train.classes)}")


def _check_part(folder: Path, part: Scan) -> None:
    if part.stray:
        what = f"{count(len(part.stray), 'picture')} outside any class folder in {folder}"
        raise UserError(f"{what}: {_some(part.stray)}", _LAYOUT)
    if not any(part.classes.values()):
        kinds = ", ".join(f"{n} {kind}" for kind, n in part.others.most_common(_SHOWN))
        held = f" (it holds {kinds})" if kinds else ""
        raise UserError(f"there are no PNG, JPEG or WebP pictures in {folder}{held}", _LAYOUT)


def _some(names: list[str]) -> str:
    shown = ", ".join(f"'{_broken.printable(name)}'" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
