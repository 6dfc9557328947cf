"""Following a worker that finishes, fails, is stopped, is killed, or was refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from core.errors import MachineError, RunFailure, UserError
from core.runs import Run, request_stop
from prunectl.follow import Ending, Follower
from prunectl.view import View

StartFake = Callable[[Run, str], subprocess.Popen[bytes]]


def _to_the_end(follower: Follower) -> Ending:
    for _ in follower.until_end():
        pass
    assert follower.ending is not None
    return follower.ending


def test_a_finished_run(new_run: Run, start_fake: StartFake) -> None:
    follower = Follower(new_run, start_fake(new_run, "ok"))
    assert _to_the_end(follower).exit_code == 0
    assert follower.view.share == 1.0
    assert follower.view.metrics == {"s0-knn-top_k-r0.5000": {"test_accuracy": 0.9}}
    assert follower.state.status == "finished"  # it waited for the worker's last write


def test_a_worker_that_dies_without_a_word(new_run: Run, start_fake: StartFake) -> None:
    follower = Follower(new_run, start_fake(new_run, "crash"))
    ending = _to_the_end(follower)
    assert (ending.status, ending.returncode, ending.exit_code) == ("dead", 7, 1)
    assert follower.view.latest("score-s0", "train/loss") == 0.5  # all it wrote was read
    error = ending.error(new_run, follower.view)
    assert "it ended with code 7" in error.what
    assert f"prunectl resume {new_run.id}" in error.todo
    assert str(new_run.log) in error.todo


def test_a_killed_worker_is_named_by_its_signal(new_run: Run, start_fake: StartFake) -> None:
    process = start_fake(new_run, "endless")
    follower = Follower(new_run, process)
    while follower.view.running is None:
        follower.poll()
    process.kill()
    ending = _to_the_end(follower)
    assert "killed by SIGKILL" in ending.error(new_run, follower.view).what


def test_someone_elses_worker_is_judged_by_its_state(new_run: Run, start_fake: StartFake) -> None:
    process = start_fake(new_run, "endless")
    own = Follower(new_run, process)
    while own.view.running is None:
        own.poll()
    other = Follower(new_run)
    other.poll()
    assert other.ending is None
    process.kill()
    process.wait()
    assert _to_the_end(other).status == "dead"


def test_a_stop_is_no_failure(new_run: Run, start_fake: StartFake) -> None:
    follower = Follower(new_run, start_fake(new_run, "endless"))
    while follower.view.running is None:
        follower.poll()
    request_stop(new_run)
    assert _to_the_end(follower) == Ending("stopped", "stopped")


def test_a_refused_new_run_leaves_no_folder(new_run: Run, start_fake: StartFake) -> None:
    follower = Follower(new_run, start_fake(new_run, "bad_input"), newborn=True)
    ending = _to_the_end(follower)
    error = ending.error(new_run, follower.view)
    assert isinstance(error, UserError)
    assert (error.what, error.todo) == ("the data are bad", "mend them")
    assert follower.forget_if_stillborn()
    assert not new_run.path.exists()


@pytest.mark.parametrize(("scenario", "newborn"), [("bad_input", False), ("diverged", True)])
def test_other_failures_keep_the_folder(
    new_run: Run, start_fake: StartFake, scenario: str, newborn: bool
) -> None:
    follower = Follower(new_run, start_fake(new_run, scenario), newborn=newborn)
    _to_the_end(follower)
    assert not follower.forget_if_stillborn()
    assert new_run.spec_file.exists()


def test_a_later_session_follows_on_an_earlier_end(new_run: Run, start_fake: StartFake) -> None:
    _to_the_end(Follower(new_run, start_fake(new_run, "diverged")))
    process = start_fake(new_run, "ok")
    follower = Follower(new_run, process)
    follower.skip_history()
    assert follower.ending is None
    assert _to_the_end(follower).status == "finished"
    assert follower.view.sessions == 2
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [("bad_input", UserError, 2), ("environment", MachineError, 4), ("disk_full", MachineError, 4),
     ("diverged", RunFailure, 1), ("oom", RunFailure, 1), (None, RunFailure, 1)],
)  # fmt: skip
def test_exit_codes_by_reason(
    new_run: Run, reason: str | None, kind: type[Exception], code: int
) -> None:
    ending = Ending("failed", reason)
    error = ending.error(new_run, View())
    assert isinstance(error, kind)
    assert error.exit_code == ending.exit_code == code


def test_following_never_signals_the_worker(new_run: Run, start_fake: StartFake) -> None:
    process = start_fake(new_run, "endless")
    follower = Follower(new_run, process)
    while follower.view.running is None:
        follower.poll()
    del follower
    os.kill(process.pid, 0)
    assert process.poll() is None
