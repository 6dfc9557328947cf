"""The store of sealed stage outputs, addressed by what went into them.

``RUNS/store/<stage>-<key16>/`` appears by one rename, with ``sealed.json`` (checksums, cost) in it;
``RUNS/store/partial/<key>/`` holds the checkpoints of a training that is not finished;
``RUNS/store/locks/`` makes a second process wait instead of computing the same thing. A valid seal
is reused by every run and sweep; a broken one is thrown away with a warning and made again.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files import disk_errors, fsync_file, fsync_folder, read_json, sha256, write_json
from core.locks import locked, share
from core.units import digest

SCHEMA = 1
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Seal:
    """A finished entry: its folder, what it says about itself, what it cost first."""

    key: str
    path: Path
    cost: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


def make_key(stage: str, parts: Mapping[str, Any]) -> str:
    """``<stage>-<16 hex>`` of everything that determines the output."""
    return f"{stage}-{digest({'stage': stage, 'schema': SCHEMA, **parts})[:16]}"


def in_use(root: Path) -> Path:
    """The lock that whoever reads or writes a store shares, and ``gc`` takes alone."""
    return root / "locks" / "in-use.lock"


class Store:
    """Entries under one runs folder."""

    def __init__(self, root: Path, warn: Warn = lambda _: None) -> None:
        self.root = root
        self.warn = warn
        self._verified: dict[str, Seal] = {}
        self._held = False

    def hold(self) -> None:
        """Keep ``gc`` off the store as long as this object lives: what it finds now stays."""
        if not self._held and self.root.is_dir() and os.access(self.root, os.W_OK):
            self._held = True
            weakref.finalize(self, os.close, share(in_use(self.root)))

    def path(self, key: str) -> Path:
        """Where an entry lies, or would lie."""
        return self.root / key

    def partial(self, key: str) -> Path:
        """Where the checkpoints of an unfinished entry lie."""
        return self.root / "partial" / key

    def get(self, key: str) -> Seal | None:
        """The entry if it is whole; a broken one is removed with a warning."""
        if key in self._verified and self._verified[key].path.exists():
            return self._verified[key]
        self.hold()
        folder = self.path(key)
        if not folder.exists():
            return None
        sealed = read_json(folder / "sealed.json")
        problem = _problem(folder, sealed)
        if problem:
            self.warn(f"the stored result {key} is broken ({problem}); it is made again")
            shutil.rmtree(folder, ignore_errors=True)
            return None
        seal = Seal(key, folder, sealed["cost"], sealed["meta"])
        self._verified[key] = seal
        return seal

    def require(self, key: str) -> Seal:
        """The entry, which must be there."""
        seal = self.get(key)
        if seal is None:
            raise UserError(
                f"the stored result {key} is missing", "run or resume the run that makes it"
            )
        return seal

    @contextmanager
    def writing(self, key: str) -> Iterator[_Writer]:
        """A folder to fill; leaving the block seals it, an exception leaves no trace."""
        temporary = self.root / "temporary" / f"{key}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        with disk_errors(self.root):
            temporary.mkdir(parents=True)
        self.hold()
        writer = _Writer(temporary)
        try:
            with disk_errors(self.root):
                yield writer
                self._seal(key, writer)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _seal(self, key: str, writer: _Writer) -> None:
        files = {}
        for file in sorted(writer.path.iterdir()):
            fsync_file(file)
            files[file.name] = {"sha256": sha256(file), "bytes": file.stat().st_size}
        write_json(
            writer.path / "sealed.json",
            {
                "schema": SCHEMA, "key": key, "parts": dict(writer.parts), "files": files,
                "cost": dict(writer.cost), "meta": dict(writer.meta), "created": time.time(),
            },
        )  # fmt: skip
        final = self.path(key)
        if final.exists():  # broken, else the caller would have reused it
            shutil.rmtree(final)
        os.replace(writer.path, final)
        fsync_folder(self.root)
        shutil.rmtree(self.partial(key), ignore_errors=True)
        self._verified.pop(key, None)

    @contextmanager
    def lock(
        self, key: str, on_wait: Callable[[dict[str, Any]], None], check: Callable[[], None]
    ) -> Iterator[None]:
        """Hold the key's lock; leftovers of a dead writer of this key are cleared."""
        with locked(self.root / "locks" / f"{key}.lock", None, on_wait, check):
            self.hold()
            for leftover in (self.root / "temporary").glob(f"{key}.*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield


@dataclass
class _Writer:
    """What a stage fills in: files into ``path``, and what the seal says."""

    path: Path
    parts: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


def _problem(folder: Path, sealed: Any) -> str:
    if not isinstance(sealed, dict) or not isinstance(sealed.get("schema"), int):
        return "no seal"
    if sealed["schema"] > SCHEMA:
        raise UserError(f"{folder} was written by a newer version", "upgrade prunectl")
    if not all(isinstance(sealed.get(part), dict) for part in ("files", "cost", "meta")):
        return "a damaged seal"
    for name, about in sealed["files"].items():
        file, known = folder / name, about if isinstance(about, dict) else {}
        if not file.is_file() or file.stat().st_size != known.get("bytes"):
            return f"{name} is missing or has another size"
        if sha256(file) != known.get("sha256"):
            return f"{name} has another checksum"
    return ""
