"""The 1,797 handwritten digits (8x8, grey, 10 classes) that come with scikit-learn.

They have no test set of their own: ``data.test_fraction`` (0.3 unless given) is held out. Pixels
0..16 become round(pixel * 255 / 16). A ``data.size`` that is a multiple of 8 repeats each pixel.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from core.data.assemble import assemble
from core.data.bank import Dataset, Samples
from core.data.base import DataSpec, Progress, refuse_options
from core.errors import MachineError, UserError

TEST_FRACTION = 0.3
COUNT = 1797
SIDE = 8


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """The table inside scikit-learn, found without importing it."""
    refuse_options(data, "the digits come with scikit-learn", "root", "n")
    _repeat(data)
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise MachineError("scikit-learn is not installed", "pip install scikit-learn")
    table = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    return [table] if table.is_file() else []


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of pixels and labels once prepared."""
    return COUNT * ((SIDE * _repeat(data)) ** 2 + 8)


def prepare(
    root: Path | None, data: DataSpec, out: Path, progress: Progress | None = None
) -> Dataset:
    """uint8 [1797, size, size, 1]."""
    from sklearn.datasets import load_digits

    table = load_digits()
    repeat = _repeat(data)
    pixels = np.rint(table.images * (255 / 16)).astype(np.uint8)
    pixels = pixels.repeat(repeat, axis=1).repeat(repeat, axis=2)[..., None]
    return assemble(
        data,
        out,
        Samples(pixels, table.target.astype(np.int64)),
        None,
        [str(digit) for digit in range(10)],
        test_fraction=TEST_FRACTION,
        progress=progress,
    )


def _repeat(data: DataSpec) -> int:
    size = SIDE if data.size is None else data.size
    if size < SIDE or size % SIDE:
        raise UserError(f"data.size is {size}", f"digits come in multiples of {SIDE}")
    return size // SIDE
