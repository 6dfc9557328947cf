"""A file is the old one or the new one, and what the disk says becomes one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core.errors import DiskFull, MachineError
from core.files import disk_errors, read_json, sha256, write_atomic, write_json


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    write_atomic(path, b"old")
    for name in ("fsync", "replace"):

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(f"core.files.os.{name}", fail)
            with pytest.raises(DiskFull, match="MB left"):
                write_atomic(path, b"new")
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (errno.ENOSPC, DiskFull, "disk_full"),
        (errno.EFBIG, DiskFull, "disk_full"),
        (errno.EACCES, MachineError, "environment"),
        (errno.EROFS, MachineError, "environment"),
    ],
)
def test_what_the_disk_says(
    tmp_path: Path, number: int, kind: type[MachineError], reason: str
) -> None:
    with pytest.raises(kind) as caught, disk_errors(tmp_path / "not" / "there"):
        raise OSError(number, os.strerror(number))
    assert caught.value.kind == reason and caught.value.exit_code == 4
    assert caught.value.todo


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"), disk_errors(tmp_path):
        raise OSError(errno.EIO, "Input/output error")


def test_json_is_finite_and_unreadable_json_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": [1, None]})
    assert read_json(path) == {"a": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": [1, None]}
    path.write_bytes(b'{"a": \xff')
    assert read_json(path) is None
    assert read_json(tmp_path / "missing") is None


def test_a_checksum_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x").startswith("ba7816bf8f01cfea")
