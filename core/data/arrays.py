"""Your own arrays: an .npz file with x_train, y_train and, if there is one, x_test, y_test.

Images: uint8, or floats in 0..1 (rounded to 1/255), as [N,H,W,C], [N,C,H,W] or grey [N,H,W].
Anything two-dimensional is a table of float32 vectors [N,D]. Labels are integers from 0; an
optional ``classes`` names them. Without x_test, ``data.test_fraction`` is held out, class by class.
An optional ``source_train`` says of each training sample whether it is real (0) or generated (1);
x_test has to be there then, and real.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.data.assemble import assemble
from core.data.bank import GENERATED, REAL, Dataset, Samples
from core.data.base import DataSpec, Progress, refuse_options
from core.data.checks import check_finite, describe
from core.errors import UserError

TRAIN = ("x_train", "y_train")
TEST = ("x_test", "y_test")
_MORE = ("classes", "source_train")
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Params:
    """Options of this source."""

    layout: Literal["auto", "nhwc", "nchw"] = "auto"
    """Where the channels are; auto looks for the axis of length 1, 3 or 4."""
    unlabelled: bool = False
    """Whether -1 in y_train means "no label" instead of being a mistake."""


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """The one .npz file ``data.root`` names."""
    refuse_options(data, "the arrays are what they are", "n")
    if root is None:
        raise UserError("arrays needs data.root", "set it to an .npz file with x_train, y_train")
    if not root.is_file():
        what = f"data.root {root} is not a file" if root.exists() else f"there is no file {root}"
        raise UserError(what, "set data.root to an .npz file with x_train, y_train")
    return [root]


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of the unpacked arrays; floats that become pixels will need less."""
    (file,) = files(root, data)
    try:
        with zipfile.ZipFile(file) as archive:
            return sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise _unreadable(file) from error


def prepare(
    root: Path | None, data: DataSpec, out: Path, progress: Progress | None = None
) -> Dataset:
    """Read, convert, check and write. UserError for keys, shapes, types and values."""
    params = Params(**data.params)
    (file,) = files(root, data)
    found = _read(file, need_test=data.test_fraction is None)
    train = _with_source(file, _samples("train", found, params), found)
    test = _samples("test", found, params) if "x_test" in found else None
    _check_size(data, train.inputs)
    return assemble(
        data,
        out,
        train,
        test,
        _classes(found, train, test),
        unlabelled=params.unlabelled,
        stratified=True,
        progress=progress,
    )


def _read(file: Path, need_test: bool) -> dict[str, npt.NDArray[Any]]:
    try:
        archive = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(file) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise _unreadable(file)
    with archive:
        some_test = any(key in archive.files for key in TEST)
        wanted = [*TRAIN, *(TEST if need_test or some_test else ())]
        if missing := [key for key in wanted if key not in archive.files]:
            what = f"{file} lacks {', '.join(missing)} (it holds {', '.join(archive.files)})"
            hint = "" if some_test or set(missing) - set(TEST) else ", or set data.test_fraction"
            raise UserError(what, "add them with numpy.savez" + hint)
        return {key: _member(file, archive, key) for key in (*wanted, *_MORE) if key in archive}


def _member(file: Path, archive: Any, key: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = archive[key]
    except ValueError as error:
        what = f"{key} in {file} holds Python objects or is damaged"
        raise UserError(what, "save plain numbers, and class names as text") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{key} in {file} is damaged", "write the file again") from error
    return array


def _samples(part: str, found: dict[str, npt.NDArray[Any]], params: Params) -> Samples:
    targets = found[f"y_{part}"]
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1 or targets.dtype.kind not in "iub":
        raise UserError(f"y_{part} is {describe(targets)}", "it has to be one integer a sample")
    return Samples(_inputs(f"x_{part}", found[f"x_{part}"], params), targets.astype(np.int64))


def _with_source(file: Path, train: Samples, found: dict[str, npt.NDArray[Any]]) -> Samples:
    """The training samples with where they come from, where the file says it."""
    source = found.get("source_train")
    if source is None:
        return train
    if source.shape != train.targets.shape or not np.isin(source, (REAL, GENERATED)).all():
        what = f"source_train is {describe(source)}"
        raise UserError(what, "it has to be 0 (real) or 1 (generated) for each sample of x_train")
    if "x_test" not in found:
        what = f"{file} has source_train but no x_test"
        raise UserError(what, "add real samples as x_test, y_test: generated ones cannot test")
    return replace(train, source=source.astype(np.uint8))


def _inputs(key: str, array: npt.NDArray[Any], params: Params) -> npt.NDArray[Any]:
    if array.dtype.kind not in "iufb" or array.ndim not in (2, 3, 4):
        what = f"{key} is {describe(array)}"
        raise UserError(what, "give images [N,H,W,C], [N,C,H,W], [N,H,W] or vectors [N,D]")
    if array.ndim == 2:
        with np.errstate(over="ignore"):  # what float32 cannot hold is reported as infinite
            return array.astype(np.float32)
    pixels = _pixels(key, array)
    if pixels.ndim == 3:
        return pixels[..., None]
    return np.moveaxis(pixels, 1, 3) if _layout(key, array, params) == "nchw" else pixels


def _pixels(key: str, array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if array.size == 0:
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        check_finite(key, array)
    low, high = array.min(), array.max()
    top = 1 if array.dtype.kind == "f" else 255
    if low < 0 or high > top:
        what = f"{key} is {array.dtype} with values from {low} to {high}"
        raise UserError(what, "pixels have to be integers in 0..255 or floats in 0..1")
    if array.dtype.kind == "f":
        array = np.rint(np.multiply(array, 255, dtype=np.float64))
    pixels: npt.NDArray[np.uint8] = array.astype(np.uint8, copy=False)
    return pixels


def _layout(key: str, array: npt.NDArray[Any], params: Params) -> Literal["nhwc", "nchw"]:
    if params.layout != "auto":
        return params.layout
    last, second = array.shape[3] in _CHANNELS, array.shape[1] in _CHANNELS
    if last == second:
        what = f"{key} is {describe(array)}: it cannot be seen which axis holds the channels"
        raise UserError(what, "set data.layout to nhwc or nchw")
    return "nhwc" if last else "nchw"


def _check_size(data: DataSpec, inputs: npt.NDArray[Any]) -> None:
    if data.size is None:
        return
    if inputs.ndim != 4 or set(inputs.shape[1:3]) != {data.size}:
        what = f"data.size is {data.size}, but the inputs are {list(inputs.shape[1:])}"
        raise UserError(what, "remove data.size; arrays are not resized")


def _classes(found: dict[str, npt.NDArray[Any]], train: Samples, test: Samples | None) -> list[str]:
    if "classes" in found:
        return [str(name) for name in found["classes"].ravel()]
    highest = max(int(part.targets.max(initial=-1)) for part in (train, test) if part is not None)
    return [str(number) for number in range(highest + 1)]


def _unreadable(file: Path) -> UserError:
    return UserError(f"{file} is not a readable .npz file", "write it with numpy.savez")
