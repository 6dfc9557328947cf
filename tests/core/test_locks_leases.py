"""Locks and leases: one at a time, the second knows behind whom, and death frees them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import MachineError
from core.leases import lease, lease_path, runtime_folder
from core.locks import holder, locked, process_start, try_lock

HOLD = """
import sys
from core.leases import lease
with lease(sys.argv[1], "ab12-theirs", lambda _: None, lambda: None):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def other_run(device: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the device's slot until it is told to end."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, device], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def never() -> None:
    return None


class GiveUp(Exception):
    pass


def give_up() -> None:
    raise GiveUp


def test_a_lock_is_held_once_and_free_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.lock"
    first = try_lock(path, {"run": "ab12"})
    assert first is not None
    assert try_lock(path) is None
    assert holder(path) == {"pid": os.getpid(), "run": "ab12"}
    os.close(first)
    again = try_lock(path)
    assert again is not None
    assert holder(path) == {"pid": os.getpid()}
    os.close(again)


def test_a_block_that_raises_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(GiveUp), locked(tmp_path / "x.lock"):
        raise GiveUp
    with locked(tmp_path / "x.lock", check=give_up):
        pass


def test_who_holds_is_unknown_rather_than_an_error(tmp_path: Path) -> None:
    assert holder(tmp_path / "missing") == {}
    for content in (b"", b"{", b"[1]", b"\xff"):
        (tmp_path / "x").write_bytes(content)
        assert holder(tmp_path / "x") == {}


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("core.locks.os.open", refuse)
    with pytest.raises(MachineError, match="cannot write .*Permission denied"):
        try_lock(tmp_path / "x.lock")


def test_a_process_is_known_by_its_start() -> None:
    own = process_start(os.getpid())
    assert own is not None and own == process_start(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        start = process_start(child.pid)
        assert start is not None and start != own
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
        assert process_start(child.pid) is None
    assert process_start(child.pid) is None
    assert process_start(2**22 + 1) is None


def test_the_second_run_waits_and_is_told_behind_whom() -> None:
    with other_run("cpu") as first:
        told: list[dict[str, object]] = []
        with pytest.raises(GiveUp), lease("cpu", "cd34-mine", told.append, give_up):
            raise AssertionError("two hold the slot")
        assert told == [{"pid": first.pid, "run": "ab12-theirs"}]
        assert first.stdin is not None

        def let_go(_: dict[str, object]) -> None:
            first.stdin.write(b"go\n")  # type: ignore[union-attr]  # stdin is a pipe
            first.stdin.flush()  # type: ignore[union-attr]  # stdin is a pipe

        with lease("cpu", "cd34-mine", let_go, never):
            assert holder(lease_path("cpu"))["run"] == "cd34-mine"
        assert first.wait() == 0


def test_a_killed_holder_frees_the_slot() -> None:
    with other_run("cpu") as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        told: list[object] = []
        with lease("cpu", "cd34-mine", told.append, give_up):
            assert told == []


def test_devices_do_not_wait_for_each_other() -> None:
    with other_run("cuda:0"), lease("cuda:1", "x", lambda _: give_up(), give_up):
        pass


def test_leases_lie_in_the_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_folder() == tmp_path / "prunectl"
    assert lease_path("cuda:1").name == "cuda-1-slot0.lease"
    with lease("cpu", "x", lambda _: None, never):
        assert (runtime_folder().stat().st_mode & 0o777) == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert str(os.getuid()) in runtime_folder().name
