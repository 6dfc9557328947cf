"""Ctrl-C and SIGTERM, with real processes and real signals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.journal import read
from core.runs import Run, list_runs

DRIVE = Path(__file__).with_name("drive.py")
Drive = Callable[..., subprocess.Popen[str]]
_PATIENCE = 30.0


@pytest.fixture
def drive(runs: Path) -> Iterator[Drive]:
    """Start the command line on a fake worker; whatever it started is gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(scenario: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(DRIVE), scenario, *arguments, "--runs-dir", str(runs)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=_hear_hangups,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for run in list_runs(runs):
        pid = run.state().pid
        if run.state().alive and pid:
            os.kill(pid, signal.SIGKILL)
    for process in started:
        process.kill()
        process.communicate(timeout=_PATIENCE)


def _hear_hangups() -> None:
    """The tests themselves may run under nohup, which children inherit."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def _working(runs: Path) -> Run:
    """The run, once its worker says it is running."""
    _wait(lambda: any(r.state().status == "running" for r in list_runs(runs)))
    return list_runs(runs)[0]


def _end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=_PATIENCE)
    return process.returncode, out, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_stops_the_run_gracefully(
    drive: Drive, runs: Path, spec_file: Path, number: signal.Signals, code: int
) -> None:
    process = drive("endless", "run", str(spec_file))
    run = _working(runs)
    process.send_signal(number)
    returned, _, err = _end(process)
    assert returned == code
    assert run.state().status == "stopped"
    assert f"prunectl resume {run.id}" in err


def test_two_signals_kill_a_worker_that_does_not_hear(
    drive: Drive, runs: Path, spec_file: Path
) -> None:
    process = drive("endless", "run", str(spec_file))
    run = _working(runs)
    pid = run.state().pid
    assert pid is not None
    _wait(lambda: len(list(read(run.journal))) > 2)  # it has begun
    os.kill(pid, signal.SIGSTOP)  # deaf: SIGTERM stays pending
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "stopping after a checkpoint" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    returned, _, err = _end(process)
    assert returned == 130
    assert "stopped at once" in err
    assert run.state().shown == "stale"
    assert len(list(read(run.journal))) > 2  # still readable


def test_a_signal_detaches_attach(drive: Drive, runs: Path, spec_file: Path) -> None:
    own = drive("endless", "run", str(spec_file))
    run = _working(runs)
    other = drive("endless", "attach", run.id)
    assert other.stderr is not None
    assert "the run goes on" in other.stderr.readline()
    other.send_signal(signal.SIGINT)
    returned, out, err = _end(other)
    assert (returned, out) == (130, "")
    assert "detached" in err
    assert run.state().alive
    own.send_signal(signal.SIGINT)
    assert _end(own)[0] == 130


def test_resume_of_a_live_run_only_follows_it(drive: Drive, runs: Path, spec_file: Path) -> None:
    own = drive("endless", "run", str(spec_file))
    run = _working(runs)
    worker = run.state().pid
    other = drive("ok", "resume", run.id)
    assert other.stderr is not None
    assert "is running already" in other.stderr.readline()
    own.send_signal(signal.SIGINT)
    assert _end(own)[0] == _end(other)[0] == 130
    assert run.state().pid == worker  # no second worker took it


def test_a_killed_front_end_leaves_the_worker_alone(
    drive: Drive, runs: Path, spec_file: Path
) -> None:
    process = drive("endless", "run", str(spec_file))
    run = _working(runs)
    process.send_signal(signal.SIGHUP)
    _end(process)
    assert run.state().alive


def test_bars_on_a_terminal_and_the_terminal_is_left_tidy(runs: Path, spec_file: Path) -> None:
    controller, terminal = pty.openpty()
    command = [sys.executable, str(DRIVE), "ok", "run", str(spec_file), "--runs-dir", str(runs)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # Linux says EIO when the other end is gone
            break
        if not part:
            break
        shown += part
    os.close(controller)
    assert process.wait(_PATIENCE) == 0
    text = shown.decode()
    assert "━" in text
    assert "finished after" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is shown again
