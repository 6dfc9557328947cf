"""What a dataset plug-in is given, and what it has to define.

A plug-in is one module with ``files`` and ``prepare`` (see :class:`Source`), and optionally
``disk_bytes``, ``class Params``, ``fetch(root, data, check)``, which gets missing files from
elsewhere before ``files`` is asked for them, and calls ``check`` often, and, where the source is
many files, ``identity(root, data)``: a JSON-able value that stands for path, size and time of all
of them. Options that say nothing of the data itself are named in a literal ``WITHOUT_EFFECT``. It
reads its source into :class:`core.data.bank.Samples` and ends with ``return assemble(...)``
(:mod:`core.data.assemble`), which checks, splits and writes. Heavy packages are imported inside its
functions: ``files``, ``identity`` and ``disk_bytes`` also run in front ends, which must not load
torch, torchvision or scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from core.data.bank import Dataset
from core.errors import UserError

Progress = Callable[[int, int], None]
"""Called with (samples written, samples in all)."""

Option = Literal["root", "size", "n", "test_fraction"]


class DataSpec(Protocol):
    """The ``data`` section of a spec, as much of it as this package reads."""

    @property
    def name(self) -> str: ...
    @property
    def root(self) -> Path | None: ...
    @property
    def size(self) -> int | None: ...
    @property
    def n(self) -> int | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def test_fraction(self) -> float | None: ...
    @property
    def validation(self) -> int: ...
    @property
    def params(self) -> Mapping[str, Any]: ...


class Source(Protocol):
    """A dataset plug-in module."""

    def files(self, root: Path | None, data: DataSpec) -> list[Path]:
        """The source files whose path, size and time identify the data.

        Raises UserError naming what is missing and where to put it. Reads no contents.
        """

    def prepare(
        self, root: Path | None, data: DataSpec, out: Path, progress: Progress | None = None
    ) -> Dataset:
        """Read the source and write the dataset into the empty folder ``out``.

        Must depend on nothing but its arguments and the files: the result is cached. Working files
        go into ``out / "work"``, which is removed afterwards. One that decodes in processes of its
        own also takes ``workers: int | None``, which may not change the result.
        """


def refuse_options(data: DataSpec, why: str, *options: Option) -> None:
    """UserError for the first of these options that is set though the source has no use for it."""
    for option in options:
        if getattr(data, option) is not None:
            raise UserError(f"data.{option} has no meaning for {data.name}: {why}", "remove it")


def missing_files(paths: Iterable[Path]) -> list[Path]:
    """Those of ``paths`` that are not files."""
    return [path for path in paths if not path.is_file()]
