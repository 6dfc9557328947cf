"""Run folders: found by what a person types, told truthfully, never deleted while they live."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import MachineError, UserError
from core.files import write_json
from core.locks import hostname, process_start
from core.runs import (
    Run,
    State,
    create_run,
    find_run,
    list_runs,
    remove_run,
    request_stop,
    restore_run,
    runs_folder,
    store_folder,
)
from core.spec import Spec
from core.spec_load import parse_spec, read_yaml

Make = Callable[..., Spec]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that is not this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def alive(run: Run, pid: int) -> State:
    state = State("running", None, pid, process_start(pid), hostname(), time.time())
    run.write_state(state)
    return state


def ended(run: Run, status: str = "finished") -> Run:
    run.write_state(State(status, None, os.getpid(), process_start(os.getpid()), hostname()))
    return run


def test_a_new_run_has_an_id_a_spec_and_a_state(runs: Path, make_spec: Make) -> None:
    spec = make_spec(name="quick.start-1")
    run = create_run(runs, spec)
    assert re.fullmatch(r"[a-z2-7]{4}-quick\.start-1", run.id)
    assert run.path.parent == runs
    assert parse_spec(read_yaml(run.spec_file)) == spec
    assert run.state().status == "queued" and run.state().alive
    assert run.summary() is None
    assert store_folder(runs) == runs / "store"


def test_no_two_runs_share_their_four_characters(
    runs: Path, make_spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([b"aaa", b"aaa", b"aaa", b"bbb", b"aaa", b"ccc"])
    monkeypatch.setattr("core.runs.secrets.token_bytes", lambda n: next(codes))
    first = create_run(runs, make_spec(name="one"))
    second = create_run(runs, make_spec(name="two"))
    assert first.id[:4] != second.id[:4]
    remove_run(runs, ended(first))  # one in the trash may come back
    assert create_run(runs, make_spec()).id[:4] not in (first.id[:4], second.id[:4])


def test_the_newest_run_comes_first_and_other_folders_are_none(runs: Path, make_spec: Make) -> None:
    assert list_runs(runs) == []
    made = [create_run(runs, make_spec(name=f"r{i}")) for i in range(3)]
    for age, run in enumerate(made):
        os.utime(run.spec_file, (1000 + age, 1000 + age))
    (runs / "store").mkdir()
    (runs / "notes.txt").touch()
    assert [r.id for r in list_runs(runs)] == [r.id for r in reversed(made)]


def test_a_run_is_found_by_id_prefix_or_path(
    runs: Path, make_spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([b"\x00\x00\x00", b"\x00\x00\xff", b"\xff\x00\x00"])
    monkeypatch.setattr("core.runs.secrets.token_bytes", lambda n: next(codes))
    first, second, third = (create_run(runs, make_spec(name=n)) for n in ("one", "two", "one"))
    assert [r.id[:3] for r in (first, second)] == ["aaa", "aaa"]
    assert find_run(runs, first.id).path == first.path
    assert find_run(runs, third.id[:1]).path == third.path
    assert find_run(runs, second.id[:4]).path == second.path
    assert find_run(runs / "elsewhere", str(third.path)).path == third.path
    with pytest.raises(UserError, match=f"'aaa' fits 2 runs: .*{first.id}") as caught:
        find_run(runs, "aaa")
    assert caught.value.exit_code == 2
    with pytest.raises(UserError, match=f"did you mean '{third.id}'"):
        find_run(runs, third.id[:-1] + "x")
    with pytest.raises(UserError, match="no runs in .*prunectl run"):
        find_run(runs / "elsewhere", "x")


def test_where_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs_folder(tmp_path / "given") == tmp_path / "given"
    monkeypatch.setenv("PRUNECTL_RUNS", "~/mine")
    assert runs_folder() == Path.home() / "mine"
    monkeypatch.delenv("PRUNECTL_RUNS")
    monkeypatch.chdir(tmp_path)
    assert runs_folder() == tmp_path / "runs"


def test_a_state_is_what_was_written(runs: Path, make_spec: Make) -> None:
    run = create_run(runs, make_spec())
    state = State("failed", "diverged", 12, "34", "host", 56.0, "behind")
    run.write_state(state)
    assert run.state() == state
    write_json(run.path / "state.json", {"status": "finished", "new": 1})  # a newer writer's
    assert run.state() == State("finished")


def test_a_live_worker_is_running_however_slow(
    runs: Path, make_spec: Make, child: subprocess.Popen[bytes]
) -> None:
    run = create_run(runs, make_spec())
    state = alive(run, child.pid)
    os.kill(child.pid, signal.SIGSTOP)
    run.write_state(replace(state, heartbeat=1.0))  # no word for decades
    assert run.state().shown == "running"
    os.kill(child.pid, signal.SIGCONT)


def test_a_dead_worker_makes_a_run_stale(
    runs: Path, make_spec: Make, child: subprocess.Popen[bytes]
) -> None:
    run = create_run(runs, make_spec())
    for status in ("running", "queued"):
        run.write_state(replace(alive(run, child.pid), status=status))
        assert run.state().shown == status
    child.kill()
    child.wait()
    assert not run.state().alive
    assert run.state().shown == "stale"
    for status in ("finished", "failed", "stopped"):
        run.write_state(replace(run.state(), status=status))
        assert run.state().shown == status


def test_another_process_with_the_old_number_is_not_the_worker(runs: Path, make_spec: Make) -> None:
    run = create_run(runs, make_spec())
    state = alive(run, os.getpid())
    assert run.state().shown == "running"
    run.write_state(replace(state, pid_start=str(int(state.pid_start or 0) - 1)))
    assert run.state().shown == "stale"


def test_a_run_of_another_host_is_believed(runs: Path, make_spec: Make) -> None:
    run = create_run(runs, make_spec())
    run.write_state(State("running", None, 2**22 + 1, "1", "another-host", 1.0))
    assert run.state().shown == "running"
    assert request_stop(run) == f"{run.id}: asked another-host to stop"
    assert (run.path / "stop.request").exists()


def test_a_worker_that_never_came_up_is_stale_after_a_minute(runs: Path, make_spec: Make) -> None:
    run = create_run(runs, make_spec())
    assert run.state().shown == "queued"
    run.write_state(replace(run.state(), heartbeat=time.time() - 120))
    assert run.state().shown == "stale"
    (run.path / "state.json").unlink()  # killed before its first word
    assert run.state().shown == "stale"
    remove_run(runs, run)


def test_a_live_run_cannot_be_removed(
    runs: Path, make_spec: Make, child: subprocess.Popen[bytes]
) -> None:
    run = create_run(runs, make_spec())
    alive(run, child.pid)
    with pytest.raises(UserError, match=f"{run.id} is running; stop it first") as caught:
        remove_run(runs, run)
    assert caught.value.exit_code == 2
    assert run.spec_file.exists()
    child.kill()
    child.wait()
    remove_run(runs, run)
    assert list_runs(runs) == []


def test_a_removed_run_comes_back_whole(runs: Path, make_spec: Make) -> None:
    run, other = (ended(create_run(runs, make_spec(name=n))) for n in ("one", "two"))
    before = {p.name: p.read_bytes() for p in run.path.iterdir()}
    target = remove_run(runs, run)
    assert not run.path.exists() and target.exists()
    assert [r.id for r in list_runs(runs)] == [other.id]
    with pytest.raises(UserError):
        find_run(runs, run.id)
    assert restore_run(runs, run.id[:5]).path == run.path
    assert {p.name: p.read_bytes() for p in run.path.iterdir()} == before
    remove_run(runs, run)  # and again
    restore_run(runs, run.id)
    assert len(list_runs(runs)) == 2


def test_restoring_what_is_not_there(runs: Path, make_spec: Make) -> None:
    with pytest.raises(UserError, match="trash is empty"):
        restore_run(runs, "x")
    run = ended(create_run(runs, make_spec(name="one")))
    remove_run(runs, run)
    with pytest.raises(UserError, match=f"did you mean '{run.id}'"):
        restore_run(runs, run.id[:-1] + "x")
    run.path.mkdir()
    with pytest.raises(UserError, match="exists already"):
        restore_run(runs, run.id)


def test_a_stop_is_a_signal_to_a_live_worker_only(
    runs: Path, make_spec: Make, child: subprocess.Popen[bytes]
) -> None:
    run = create_run(runs, make_spec())
    alive(run, child.pid)
    assert request_stop(run) == f"{run.id}: stopping"
    assert child.wait() == -signal.SIGTERM
    assert request_stop(run) == f"{run.id} is not running (stale)"


def test_a_stop_at_once(runs: Path, make_spec: Make, child: subprocess.Popen[bytes]) -> None:
    run = create_run(runs, make_spec())
    alive(run, child.pid)
    request_stop(run, now=True)
    assert child.wait() == -signal.SIGKILL


def test_a_summary_of_a_newer_version(runs: Path, make_spec: Make) -> None:
    run = create_run(runs, make_spec())
    write_json(run.summary_file, {"schema": 1, "run": run.id})
    assert run.summary() == {"schema": 1, "run": run.id}
    write_json(run.summary_file, {"schema": 2})
    with pytest.raises(UserError, match="newer version"):
        run.summary()


def test_a_runs_folder_that_cannot_be_made(tmp_path: Path, make_spec: Make) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(MachineError, match="file is in the way") as caught:
            create_run(folder, make_spec())
        assert caught.value.exit_code == 4
