"""Generated CIFAR pictures (EDM, as an .npz with ``image`` and ``label``), tested on the real ones.

``data.root`` is the .npz: uint8 [N, 32, 32, 3] and N integer labels, any N, mapped where it lies
unless it is compressed; ``data.n`` takes its first n. Such files come with "Better diffusion models
further improve adversarial training" (2302.04638). Alone it is the training set; with
``data.join: true`` it follows the real training set. The ``source`` column is 0 for a real sample
and 1 for a generated one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.data import _npy as npy
from core.data import cifar10, cifar100
from core.data._cifar import SIDE, Cifar
from core.data._npz import Member, open_members
from core.data.assemble import assemble
from core.data.bank import GENERATED, REAL, Dataset, Samples
from core.data.base import DataSpec, Progress, refuse_options
from core.errors import UserError

WITHOUT_EFFECT = ("download",)
KEYS = ("image", "label")
_SETS = {"cifar10": cifar10.SET, "cifar100": cifar100.SET}


@dataclass(frozen=True)
class Params:
    """Options of this source."""

    real: Literal["cifar10", "cifar100"] = "cifar10"
    """Which real pictures the generated ones imitate."""
    real_root: str | None = None
    """Folder of the real files; null is the data cache."""
    join: bool = False
    """true: train on the real training set followed by the generated pool."""
    download: bool = False
    """Get the real files from their authors' page if they are not there."""


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """The .npz file and the real set's files."""
    refuse_options(data, "the real test set is used", "test_fraction")
    if data.size not in (None, SIDE):
        raise UserError(f"data.size is {data.size}", f"CIFAR pictures are {SIDE} wide")
    todo = f"set data.root to an .npz file with {' and '.join(KEYS)}"
    if root is None:
        raise UserError(f"{data.name} needs data.root", todo)
    if not root.is_file():
        what = f"data.root {root} is not a file" if root.exists() else f"there is no file {root}"
        raise UserError(what, todo)
    params = Params(**data.params)
    return [root, *_real(params).find(_real_root(params), download=params.download)]


def fetch(root: Path | None, data: DataSpec, check: Callable[[], None]) -> None:
    """Download the real files that are missing, if ``data.download`` says so."""
    params = Params(**data.params)
    if params.download:
        _real(params).fetch(_real_root(params), check)


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of the bank, and of a working copy where the pictures cannot be mapped in place."""
    file = files(root, data)[0]
    params, (images, labels) = Params(**data.params), open_members(file, KEYS)
    copies = 2 if images.packed or params.join else 1
    return copies * images.nbytes + 8 * labels.nbytes + cifar10.disk_bytes(None, data)


def prepare(
    root: Path | None, data: DataSpec, out: Path, progress: Progress | None = None
) -> Dataset:
    """uint8 [n, 32, 32, 3], the real training set first where it is joined."""
    params, work = Params(**data.params), out / "work"
    file = files(root, data)[0]
    work.mkdir()
    train, test, classes = _real(params).read(_real_root(params), work)
    pool = _pool(file, data, work)
    if params.join:
        pool = _joined(train, pool, work)
    return assemble(data, out, pool, _with_source(test, REAL), classes, progress=progress)


def _pool(file: Path, data: DataSpec, work: Path) -> Samples:
    """The generated samples: pictures mapped, labels read."""
    images, labels = open_members(file, KEYS)
    _check_shapes(images, labels)
    count = images.shape[0] if data.n is None else data.n
    if count > images.shape[0]:
        what = f"data.n is {count:,}, but {file} holds {images.shape[0]:,} pictures"
        raise UserError(what, "ask for fewer")
    targets = labels.read().astype(np.int64)[:count]
    pictures = images.open(work / "image.npy")[:count]
    return _with_source(Samples(pictures, targets), GENERATED)


def _check_shapes(images: Member, labels: Member) -> None:
    file = images.file
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, 3):
        what = f"image in {file} is {_said(images)}"
        raise UserError(what, f"it has to be uint8 [N, {SIDE}, {SIDE}, 3]")
    if labels.dtype.kind not in "iu" or len(labels.shape) != 1:
        raise UserError(f"label in {file} is {_said(labels)}", "it has to be one integer a picture")
    if labels.shape != images.shape[:1]:
        what = f"{file} holds {images.shape[0]:,} pictures but {labels.shape[0]:,} labels"
        raise UserError(what, "it has to be one a picture, in the same order")


def _joined(real: Samples, pool: Samples, work: Path) -> Samples:
    """The real samples, then the pool, through a working file as large as both."""
    file = work / "joined.npy"
    shape = (len(real.targets) + len(pool.targets), *real.inputs.shape[1:])
    rows = itertools.chain(npy.blocks(real.inputs), npy.blocks(pool.inputs))
    npy.write_array(file, real.inputs.dtype, shape, rows)
    inputs = np.load(file, mmap_mode="r", allow_pickle=False)
    source = np.concatenate([_filled(real, REAL), _filled(pool, GENERATED)])
    return Samples(inputs, np.concatenate([real.targets, pool.targets]), source=source)


def _with_source(samples: Samples, source: int) -> Samples:
    return Samples(samples.inputs, samples.targets, source=_filled(samples, source))


def _filled(samples: Samples, source: int) -> npt.NDArray[np.uint8]:
    return np.full(len(samples.targets), source, dtype=np.uint8)


def _real(params: Params) -> Cifar:
    return _SETS[params.real]


def _real_root(params: Params) -> Path | None:
    return None if params.real_root is None else Path(params.real_root).expanduser().absolute()


def _said(member: Member) -> str:
    return f"{member.dtype} {list(member.shape)}"
