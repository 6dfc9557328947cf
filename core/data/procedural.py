"""Generated colour pictures whose difficulty is known sample by sample; nothing to download.

A class is a few smooth colour patterns (its looks, the last of them rare), shown at ``contrast``
somewhere in the picture, on a smooth background and under pixel noise. Some pictures mix two
classes, some samples have a wrong label, some are near-duplicates of each other. Which ones is in
the bank's ``truth`` column (core.data.truth). ``data.n`` counts training samples (4,000 unless
given). The test set is made alike, but balanced, rightly labelled and without near-duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data import _npy as npy
from core.data.assemble import assemble
from core.data.bank import Dataset, Samples
from core.data.base import DataSpec, Progress, refuse_options
from core.data.truth import TRUTH, difficulty
from core.errors import UserError
from core.rng import generator
from core.units import round_share

COUNT = 4000
SIDE = 32
BLOCK = 1024
_FREQUENCIES = 3  # waves across the picture, at most, in patterns and backgrounds
_DUPLICATE_NOISE = 0.02  # by how much near-duplicates differ, about 5 of 255
_TRAIN, _TEST, _PATTERNS = 0, 1, 2

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Params:
    """Options of this source. Shares are of the training samples."""

    classes: int = 10
    """Number of classes, such as 10 or 100."""
    n_test: int = 1000
    """Number of test samples."""
    contrast: float = 0.2
    """Standard deviation of a class's pattern, full scale being 1: higher is easier."""
    background: float = 0.1
    """Standard deviation of the smooth background."""
    noise: float = 0.1
    """Mean standard deviation of the pixel noise; a sample's own is between 0 and twice that."""
    shift: int = 4
    """Pixels by which a pattern is moved at most, with wrap-around."""
    ambiguous: float = 0.1
    """Share of pictures into which another class is mixed, with a weight up to 0.5."""
    mislabelled: float = 0.04
    """Share of samples with a wrong label."""
    duplicates: float = 0.1
    """Share of samples that have near-duplicates."""
    group: int = 5
    """Members of a group of near-duplicates."""
    looks: int = 3
    """Patterns of a class; with two or more the last is the rare one."""
    rare: float = 0.05
    """Share of samples that show the rare pattern of their class."""
    tail: float = 1.0
    """Samples of the most frequent class over those of the least; 1 is balanced."""


def files(root: Path | None, data: DataSpec) -> list[Path]:
    """None: everything is drawn. UserError for options that make no data."""
    refuse_options(data, "the pictures are generated", "root")
    refuse_options(data, "it has a test set, data.n_test samples", "test_fraction")
    _checked(data)
    return []


def disk_bytes(root: Path | None, data: DataSpec) -> int:
    """Bytes of pixels, labels and truth, and of the pixels once more while preparing."""
    params, number, side = _checked(data)
    return (number + params.n_test) * (2 * 3 * side * side + 8 + TRUTH.itemsize)


def prepare(
    root: Path | None, data: DataSpec, out: Path, progress: Progress | None = None
) -> Dataset:
    """uint8 [n, size, size, 3], the same bytes for the same options and ``data.seed``."""
    params, number, side = _checked(data)
    scene = Scene(params, data.seed, side)
    (out / "work").mkdir()
    parts = []
    for part, count in ((_TRAIN, number), (_TEST, params.n_test)):
        truth, targets = describe_samples(params, data.seed, part, count)
        file = out / "work" / f"{part}.npy"
        blocks = scene.pictures(part, truth)
        npy.write_array(file, np.dtype(np.uint8), (count, side, side, 3), blocks)
        inputs = np.load(file, mmap_mode="r", allow_pickle=False)
        parts.append(Samples(inputs, targets, truth=truth))
    names = [f"class {c:0{len(str(params.classes - 1))}d}" for c in range(params.classes)]
    return assemble(data, out, parts[0], parts[1], names, progress=progress)


def describe_samples(
    params: Params, seed: int, part: int, count: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """(truth [count] of type TRUTH, targets [count]) of one part, before any pixel is drawn.

    The counts of classes, wrong labels and groups are exact, and only which samples they fall on is
    drawn; near-duplicates, being all of one look, move the shares of mixed and rare ones a little.
    """
    rng = generator(seed, "data", "data", part)
    training = part == _TRAIN
    truth = np.zeros(count, dtype=TRUTH)
    counts = class_counts(count, params.classes, params.tail if training else 1.0)
    truth["label"] = rng.permutation(np.repeat(np.arange(params.classes), counts))
    truth["noise"] = rng.uniform(0, 2 * params.noise, count)
    _mix_classes(params, rng, truth)
    _choose_looks(params, rng, truth)
    truth["group"] = -1
    if training:
        _copy_groups(params, rng, truth)
    truth["difficulty"] = difficulty(params.contrast, truth["ambiguity"], truth["noise"])
    targets = truth["label"].astype(np.int64)
    if training:
        wrong = _some(rng, count, params.mislabelled)
        truth["mislabelled"][wrong] = True
        targets[wrong] += rng.integers(1, params.classes, len(wrong))
        targets %= params.classes
    return truth, targets


def class_counts(count: int, classes: int, tail: float) -> npt.NDArray[np.int64]:
    """Samples of each class: exponentially falling from the first to the last by the factor
    ``tail``, as long-tailed CIFAR (1901.05555), at least one each, in all ``count``."""
    weights = tail ** (-np.arange(classes) / max(1, classes - 1))
    exact = weights / weights.sum() * (count - classes)
    counts: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    left = count - classes - int(counts.sum())
    # The largest remainders get one more; of equal ones the first, as rounding allows no choice.
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    counts += 1
    return counts


def _mix_classes(params: Params, rng: np.random.Generator, truth: npt.NDArray[Any]) -> None:
    truth["other"] = -1
    mixed = _some(rng, len(truth), params.ambiguous)
    step = rng.integers(1, params.classes, len(mixed))
    truth["other"][mixed] = (truth["label"][mixed] + step) % params.classes
    truth["ambiguity"][mixed] = rng.uniform(0.2, 0.5, len(mixed))


def _choose_looks(params: Params, rng: np.random.Generator, truth: npt.NDArray[Any]) -> None:
    usual = max(1, params.looks - 1)
    truth["mode"] = rng.integers(0, usual, len(truth))
    if params.looks > 1:
        rare = _some(rng, len(truth), params.rare)
        truth["mode"][rare], truth["rare"][rare] = params.looks - 1, True


def _copy_groups(params: Params, rng: np.random.Generator, truth: npt.NDArray[Any]) -> None:
    """Number the groups, each within one class, and give all members what the first one is."""
    size, start = params.group, 0
    order = rng.permutation(len(truth))
    for label in range(params.classes):
        own = order[truth["label"][order] == label]
        groups = min(round_share(params.duplicates, len(own)), len(own)) // size
        members = np.sort(own[: groups * size].reshape(groups, size), axis=1)
        truth[members] = truth[members[:, :1]]
        truth["group"][members] = start + np.arange(groups)[:, None]
        start += groups


def _some(rng: np.random.Generator, count: int, share: float) -> npt.NDArray[np.int64]:
    """round(share * count) of the rows."""
    return rng.permutation(count)[: round_share(share, count) if share else 0]


class Scene:
    """The patterns of all classes, and the drawing of pictures by blocks."""

    def __init__(self, params: Params, seed: int, side: int) -> None:
        self.params, self.seed, self.side = params, seed, side
        self.waves = _waves(side)
        rng = generator(seed, "data", "data", _PATTERNS)
        shape = (params.classes, params.looks, 3, len(self.waves))
        self.patterns = self._smooth(rng.standard_normal(shape, dtype=np.float32))

    def pictures(self, part: int, truth: npt.NDArray[Any]) -> Iterator[npt.NDArray[np.uint8]]:
        """Consecutive blocks uint8 [B, side, side, 3] of the samples that ``truth`` describes.

        A block depends on nothing before it but the first members of its groups.
        """
        number = int(truth["group"].max(initial=-1)) + 1
        first = np.zeros((number, self.side, self.side, 3), dtype=np.float32)
        known = np.zeros(number, dtype=bool)
        for start in range(0, len(truth), BLOCK):
            rows = truth[start : start + BLOCK]
            rng = generator(self.seed, "data", "data", part, 1, start // BLOCK)
            pixels = self._draw(rows, rng)
            _follow(rows["group"], pixels, first, known, rng)
            yield np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)

    def _draw(self, rows: npt.NDArray[Any], rng: np.random.Generator) -> Floats:
        """float32 [B, side, side, 3] around 0.5, not yet clipped."""
        params, number = self.params, len(rows)
        weight = rows["ambiguity"][:, None, None, None]
        pixels = (1 - weight) * self._moved(rows["label"], rows["mode"], rng)
        mixed = np.flatnonzero(rows["other"] >= 0)
        look = rng.integers(0, max(1, params.looks - 1), len(mixed))
        pixels[mixed] += weight[mixed] * self._moved(rows["other"][mixed], look, rng)
        pixels *= np.float32(params.contrast)
        amplitudes = rng.standard_normal((number, 3, len(self.waves)), dtype=np.float32)
        pixels += np.float32(params.background) * self._smooth(amplitudes)
        grain = rng.standard_normal(pixels.shape, dtype=np.float32)
        pixels += rows["noise"][:, None, None, None] * grain
        pixels += np.float32(0.5)
        return pixels

    def _moved(self, label: npt.NDArray[Any], look: npt.NDArray[Any], rng: Any) -> Floats:
        """Patterns [B, side, side, 3], each moved by up to ``shift`` pixels both ways."""
        reach, line = self.params.shift, np.arange(self.side)
        moves = rng.integers(-reach, reach + 1, (2, len(label), 1))
        y, x = (line + moves) % self.side
        patterns: Floats = self.patterns[
            label[:, None, None], look[:, None, None], y[:, :, None], x[:, None, :]
        ]
        return patterns

    def _smooth(self, amplitudes: Floats) -> Floats:
        """Amplitudes [..., C, K] to sums of waves [..., side, side, C], of standard deviation 1 and
        mean 0 in every channel."""
        size = np.sqrt(np.square(amplitudes).sum(-1, keepdims=True))
        flat = (amplitudes / size) @ self.waves
        shaped = flat.reshape(*flat.shape[:-1], self.side, self.side)
        smooth: Floats = np.moveaxis(shaped, -3, -1)
        return smooth


def _waves(side: int) -> Floats:
    """Orthogonal waves [K, side * side] of mean 0 and mean square 1, periodic in the picture."""
    line = np.arange(side) / side
    reach = range(-_FREQUENCIES, _FREQUENCIES + 1)
    half = [(v, u) for v in range(_FREQUENCIES + 1) for u in reach if v > 0 or u > 0]
    angles = np.array([2 * np.pi * (v * line[:, None] + u * line).ravel() for v, u in half])
    waves: Floats = np.concatenate([np.cos(angles), np.sin(angles)]).astype(np.float32)
    return waves * np.float32(np.sqrt(2))


def _follow(
    group: npt.NDArray[Any], pixels: Floats, first: Floats, known: Any, rng: np.random.Generator
) -> None:
    """Make every member of a group but its first one that first one with a little noise."""
    members = np.flatnonzero(group >= 0)
    numbers, at = np.unique(group[members], return_index=True)
    new = ~known[numbers]
    leaders = members[at[new]]
    first[numbers[new]], known[numbers[new]] = pixels[leaders], True
    followers = np.setdiff1d(members, leaders, assume_unique=True)
    grain = rng.standard_normal((len(followers), *pixels.shape[1:]), dtype=np.float32)
    pixels[followers] = first[group[followers]] + _DUPLICATE_NOISE * grain


def _checked(data: DataSpec) -> tuple[Params, int, int]:
    """(options, training samples, side); UserError naming the first option out of bounds."""
    params, number = Params(**data.params), COUNT if data.n is None else data.n
    side = SIDE if data.size is None else data.size
    shares = ("ambiguous", "mislabelled", "duplicates", "rare")
    bounds: list[tuple[str, float, float, float]] = [
        ("size", side, 8, 1024),
        ("classes", params.classes, 2, 10_000),
        ("n", number, params.classes, np.inf),
        ("n_test", params.n_test, params.classes, np.inf),
        ("shift", params.shift, 0, side),
        ("group", params.group, 2, np.inf),
        ("looks", params.looks, 1, 100),
        ("tail", params.tail, 1, np.inf),
        *((key, getattr(params, key), 0, 1) for key in ("contrast", "background", "noise")),
        *((share, getattr(params, share), 0, 1) for share in shares),
    ]
    for key, value, low, high in bounds:
        if not low <= value <= high:
            limit = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
            raise UserError(f"data.{key} is {value:g}", f"it has to be {limit}")
    return params, number, side
