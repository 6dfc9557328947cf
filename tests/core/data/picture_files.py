"""Small folders of pictures whose right pixels are known."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES = ("bee", "cat", "it's a cow")


def pixels(number: int, seed: int = 0, side: int = 8) -> np.ndarray:
    """uint8 [number, side, side, 3], noise."""
    return np.random.default_rng(seed).integers(0, 256, (number, side, side, 3), dtype=np.uint8)


def save(file: Path, picture: np.ndarray, **options: object) -> Path:
    """One picture [H,W,3] or [H,W] in the format its suffix names."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(file, **options)  # type: ignore[arg-type]  # options differ by format
    return file


def write_folder(
    root: Path, parts: Mapping[str, np.ndarray], classes: tuple[str, ...] = CLASSES
) -> dict[str, list[str]]:
    """Write each part's pictures as PNG, classes in turn, "" being no sub-folder; the paths in the
    order of the rows. Within a class, paths sort as rows do."""
    names = {}
    for part, pictures in parts.items():
        names[part] = [
            f"{part}/{classes[i % len(classes)]}/a b {i:04}.png".lstrip("/")
            for i in range(len(pictures))
        ]
        for name, picture in zip(names[part], pictures, strict=True):
            save(root / name, picture)
    return names


def by_class(number: int, classes: int = len(CLASSES)) -> np.ndarray:
    """The rows of :func:`write_folder` in the order of ids: class after class."""
    return np.argsort(np.arange(number) % classes, kind="stable")


def encoded(picture: np.ndarray) -> bytes:
    """A picture as the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def write_parquet(file: Path, pictures: np.ndarray) -> None:
    """Pictures as bytes, classes 0, 1, 2 in turn."""
    labels = [i % 3 for i in range(len(pictures))]
    pq.write_table(pa.table({"image": [encoded(p) for p in pictures], "label": labels}), file)
