"""What cifar10 and cifar100 share: where the files lie, their checksums, torchvision's reader.

The files are pickles, so each is compared with its published checksum before any is opened, and
nothing else is ever unpickled. An archive that was not unpacked is read as it is.
"""

from __future__ import annotations

import shutil
import tarfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.data._download import download, md5_of
from core.data.bank import Samples
from core.data.base import DataSpec, missing_files, refuse_options
from core.data.locations import default_cache_root
from core.errors import UserError

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
SIDE = 32


@dataclass(frozen=True)
class Cifar:
    """One of the two: its name in a spec, torchvision's class, its files."""

    name: str
    reader: str
    folder: str
    archive: str
    archive_bytes: int
    files: tuple[str, ...]

    def refuse(self, data: DataSpec) -> None:
        """UserError for options that a fixed set of pictures has no use for."""
        refuse_options(data, "it is a fixed set of pictures", "n", "test_fraction")
        if data.size not in (None, SIDE):
            raise UserError(f"data.size is {data.size}", f"{self.name} pictures are {SIDE} wide")

    def find(self, root: Path | None, *, download: bool = False) -> list[Path]:
        """The unpacked files in ``root`` or else the data cache; failing them, the archive.

        UserError naming what is missing. ``download`` changes only what it advises.
        """
        parent = self.parent(root)
        unpacked = [parent / self.folder / name for name in self.files]
        missing = missing_files(unpacked)
        if not missing:
            return unpacked
        if (parent / self.archive).is_file():
            return [parent / self.archive]
        names = ", ".join(path.name for path in missing)
        what = f"{self.name} lacks {names} in {parent / self.folder}"
        if download:
            raise UserError(what, "start the run or prepare the data: they download it first")
        raise UserError(what, self._how_to_get(parent) + ", or set data.download: true")

    def fetch(self, root: Path | None, check: Callable[[], None]) -> None:
        """Download the archive unless the files or the archive are there."""
        parent = self.parent(root)
        if missing_files([parent / self.folder / name for name in self.files]):
            file = parent / self.archive
            if not file.is_file():
                known: Any = self._torchvision()
                download(known.url, file, known.tgz_md5, self._how_to_get(parent), check)

    def read(self, root: Path | None, work: Path) -> tuple[Samples, Samples, list[str]]:
        """(train, test, class names): uint8 [N, 32, 32, 3]. Nothing is opened before its checksum.

        An archive is unpacked into the folder ``work``.
        """
        found = self.find(root)
        parent = self.parent(root)
        if found == [parent / self.archive]:
            parent = self._unpack(found[0], work)
        self._check(parent)
        reader: Any = self._torchvision()
        with warnings.catch_warnings():
            # An early NumPy pickled the files, and later ones deprecate its spelling of a dtype.
            warnings.simplefilter("ignore")
            train = reader(parent, train=True, download=False)
            test = reader(parent, train=False, download=False)
        return _samples(train), _samples(test), [str(name) for name in train.classes]

    def parent(self, root: Path | None) -> Path:
        """The folder that holds the batches' folder; naming that itself is understood too."""
        parent = default_cache_root() if root is None else root
        return parent.parent if parent.name == self.folder else parent

    def _torchvision(self) -> Any:
        from torchvision import datasets

        return getattr(datasets, self.reader)

    def _unpack(self, archive: Path, work: Path) -> Path:
        if md5_of(archive) != self._torchvision().tgz_md5:
            size = archive.stat().st_size
            state = "truncated" if size < self.archive_bytes else "damaged"
            what = f"{archive} is {state}: {size:,} of {self.archive_bytes:,} bytes, wrong checksum"
            raise UserError(what, f"delete it and get it again from {PAGE}")
        folder = work / self.folder
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as packed:
            for (
                name
            ) in self.files:  # contents only: an archive's modes and links are not taken over
                content = packed.extractfile(f"{self.folder}/{name}")
                assert content is not None  # the checksum is that of the archive with these files
                with content, (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
        return work

    def _check(self, parent: Path) -> None:
        known: Any = self._torchvision()
        published = dict([*known.train_list, *known.test_list])
        published[known.meta["filename"]] = known.meta["md5"]
        place = parent / self.folder
        wrong = [name for name in self.files if md5_of(place / name) != published[name]]
        if wrong:
            what = f"{self.name} is damaged in {place}: wrong checksum of {', '.join(wrong)}"
            raise UserError(what, self._how_to_get(parent))

    def _how_to_get(self, parent: Path) -> str:
        return (
            f"get {self.archive} from {PAGE} and put it into {parent}, "
            f"or set data.root to the folder that holds {self.folder}"
        )


def _samples(read: Any) -> Samples:
    return Samples(read.data, np.asarray(read.targets, dtype=np.int64))
