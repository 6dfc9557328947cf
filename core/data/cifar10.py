"""CIFAR-10: 50,000 training and 10,000 test photographs (32x32, RGB, 10 classes).

The files are pickles, so each is compared with its published checksum before any is opened;
torchvision reads them. Nothing is downloaded. Krizhevsky, "Learning multiple layers of features
from tiny images", 2009.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np

from core.data.assemble import assemble
from core.data.bank import Dataset, Samples
from core.data.base import DataSpec, Progress, missing_files, refuse_options
from core.data.locations import default_cache_root
from core.errors import UserError

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
SIDE = 32
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
FILES = (*BATCHES, "test_batch", "batches.meta")


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """The seven files of the Python version, in ``data.root`` or else the data cache."""
    refuse_options(data, "it is a fixed set of pictures", "n", "test_fraction")
    if data.size not in (None, SIDE):
        raise UserError(f"data.size is {data.size}", f"cifar10 pictures are {SIDE} wide")
    parent = _parent(root)
    found = [parent / FOLDER / name for name in FILES]
    if missing := missing_files(found):
        names = ", ".join(path.name for path in missing)
        raise UserError(f"cifar10 lacks {names} in {parent / FOLDER}", _how_to_get(parent))
    return found


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of pixels and labels once prepared."""
    return 60_000 * (3 * SIDE * SIDE + 8)


def prepare(
    root: Path | None, data: DataSpec, out: Path, progress: Progress | None = None
) -> Dataset:
    """uint8 [50000, 32, 32, 3] and [10000, 32, 32, 3]."""
    from torchvision.datasets import CIFAR10

    files(root, data)
    parent = _parent(root)
    published = dict([*CIFAR10.train_list, *CIFAR10.test_list])
    published[CIFAR10.meta["filename"]] = CIFAR10.meta["md5"]
    _check(parent, published)
    with warnings.catch_warnings():
        # An early NumPy pickled the files, and later ones deprecate its spelling of a dtype.
        warnings.simplefilter("ignore")
        train = CIFAR10(parent, train=True, download=False)
        test = CIFAR10(parent, train=False, download=False)
    return assemble(
        data,
        out,
        Samples(train.data, np.asarray(train.targets, dtype=np.int64)),
        Samples(test.data, np.asarray(test.targets, dtype=np.int64)),
        train.classes,
        progress=progress,
    )


def _check(parent: Path, published: dict[str, str]) -> None:
    wrong = [name for name in FILES if _md5(parent / FOLDER / name) != published[name]]
    if wrong:
        what = f"cifar10 is damaged in {parent / FOLDER}: wrong checksum of {', '.join(wrong)}"
        raise UserError(what, _how_to_get(parent))


def _md5(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _parent(root: Path | None) -> Path:
    """The folder that holds FOLDER; naming FOLDER itself is understood too."""
    parent = default_cache_root() if root is None else root
    return parent.parent if parent.name == FOLDER else parent


def _how_to_get(parent: Path) -> str:
    if (parent / ARCHIVE).is_file():
        return f"run: tar -xzf {parent / ARCHIVE} -C {parent}"
    return (
        f"get {ARCHIVE} from {PAGE} and unpack it in {parent}, "
        f"or set data.root to the folder that holds {FOLDER}"
    )
