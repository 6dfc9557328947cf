"""Checkpoints: whole or absent, verified, never code."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import DiskFull
from core.training.checkpoint import CheckpointFolder


def state(step: int) -> dict[str, Any]:
    return {"step": step, "net": {"w": torch.full((1000,), float(step))}, "seconds": [1.5, 2]}


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path, warnings: list[str]) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints", 600, warn=warnings.append)


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(p.name for p in folder.path.iterdir())


def latest_step(folder: CheckpointFolder) -> int | None:
    found = folder.latest()
    return None if found is None else found["step"]


def test_the_newest_comes_back_and_two_are_kept(folder: CheckpointFolder) -> None:
    assert folder.latest() is None
    for step in (3, 20, 100):
        folder.save(state(step))
    found = folder.latest()
    assert found is not None
    assert (found["step"], found["seconds"]) == (100, [1.5, 2])
    assert torch.equal(found["net"]["w"], torch.full((1000,), 100.0))
    assert [n for n in names(folder) if n.endswith(".pt")] == [
        "step-000000000020.pt",
        "step-000000000100.pt",
    ]
    assert len(names(folder)) == 4


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:-7], flip])
@pytest.mark.parametrize("which", [".pt", ".json"])
def test_a_damaged_newest_is_reported_and_the_older_one_used(
    folder: CheckpointFolder, warnings: list[str], damage: Callable[[bytes], bytes], which: str
) -> None:
    folder.save(state(1))
    folder.save(state(2))
    file = folder.path / f"step-000000000002{which}"
    file.write_bytes(damage(file.read_bytes()))
    assert latest_step(folder) == 1
    assert len(warnings) == 1
    assert "step-000000000002.pt" in warnings[0]


def test_when_all_are_damaged_there_is_none(folder: CheckpointFolder, warnings: list[str]) -> None:
    for step in (1, 2):
        folder.save(state(step))
        (folder.path / f"step-{step:012d}.pt").write_bytes(b"junk")
    assert folder.latest() is None
    assert len(warnings) == 2


@pytest.mark.parametrize("point", ["fsync", "replace"])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_dying_at_any_point_of_a_write_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, call: int
) -> None:
    """The process dies (no clean-up runs) at the n-th fsync or rename of a write."""
    path = tmp_path / "checkpoints"
    CheckpointFolder(path, 600).save(state(1))
    real, calls = getattr(os, point), 0

    def dies(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os._exit(9)
        return real(*arguments)

    child = os.fork()
    if child == 0:
        setattr(os, point, dies)
        CheckpointFolder(path, 600).save(state(2))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    after = CheckpointFolder(path, 600)
    written = status == 0 or (point == "fsync" and call == 4)
    assert latest_step(after) == (2 if written else 1)
    assert not list(path.glob("*.tmp")) + list(path.glob(".*.tmp"))
    assert {p.stem for p in path.glob("*.pt")} == {p.stem for p in path.glob("*.json")}


def test_a_full_disk_is_said_and_the_older_one_stays(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(state(1))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DiskFull, match="MB left"):
            folder.save(state(2))
    assert latest_step(folder) == 1
    assert len(names(folder)) == 2


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def test_a_checkpoint_cannot_run_code(
    folder: CheckpointFolder, warnings: list[str], tmp_path: Path
) -> None:
    folder.save({"step": 1, "net": Evil(tmp_path / "marker")})
    assert folder.latest() is None
    assert not (tmp_path / "marker").exists()
    assert len(warnings) == 1


def test_the_same_step_can_be_written_again(folder: CheckpointFolder) -> None:
    folder.save(state(5))
    folder.save({**state(5), "seconds": [9.0, 9.0]})
    found = folder.latest()
    assert found is not None
    assert found["seconds"] == [9.0, 9.0]


def test_when_one_is_due(tmp_path: Path) -> None:
    now = 0.0
    folder = CheckpointFolder(tmp_path, 60, clock=lambda: now)
    now = 9.0
    assert not folder.due(in_epoch=False)
    now = 10.0
    assert folder.due(in_epoch=False)
    assert not folder.due(in_epoch=True)
    now = 60.0
    assert folder.due(in_epoch=True)
    folder.save(state(1))
    assert not folder.due(in_epoch=False)
    assert CheckpointFolder(tmp_path, 0, clock=lambda: now).due(in_epoch=True)
