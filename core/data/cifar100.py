"""CIFAR-100: 50,000 training and 10,000 test photographs (32x32, RGB, 100 classes).

Read from cifar-100-python or cifar-100-python.tar.gz in ``data.root``, else in the data cache.
Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.data._cifar import SIDE, Cifar
from core.data.assemble import assemble
from core.data.bank import Dataset
from core.data.base import DataSpec, Progress

WITHOUT_EFFECT = ("download",)
SET = Cifar(
    name="cifar100",
    reader="CIFAR100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    archive_bytes=169_001_437,
    files=("train", "test", "meta"),
)


@dataclass(frozen=True)
class Params:
    """Options of this source."""

    download: bool = False
    """Get the archive (161 MB) from its authors' page if it is not there."""


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """The three files of the Python version, or the archive that holds them."""
    SET.refuse(data)
    return SET.find(root, download=Params(**data.params).download)


def fetch(root: Path | None, data: DataSpec, check: Callable[[], None]) -> None:
    """Download what is missing, if ``data.download`` says so."""
    if Params(**data.params).download:
        SET.fetch(root, check)


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of pixels and labels once prepared, and of the unpacked archive before."""
    return 2 * 60_000 * (3 * SIDE * SIDE + 8)


def prepare(
    root: Path | None, data: DataSpec, out: Path, progress: Progress | None = None
) -> Dataset:
    """uint8 [50000, 32, 32, 3] and [10000, 32, 32, 3]."""
    SET.refuse(data)
    train, test, classes = SET.read(root, out / "work")
    return assemble(data, out, train, test, classes, progress=progress)
