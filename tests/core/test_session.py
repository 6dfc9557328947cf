"""A worker's hold on a run: one at a time, an end that is always told, a spec that stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core import events as ev
from core import session as session_module
from core.errors import Diverged, Stopped, UserError
from core.journal import read
from core.locks import hostname
from core.runs import Run, create_run
from core.session import Session, differences, versions
from core.spec import Spec

Make = Callable[..., Spec]
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A session handles signals for its process, which here is the tests'."""
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def run(tmp_path: Path, make_spec: Make) -> Run:
    return create_run(tmp_path / "runs", make_spec())


def last(run: Run) -> ev.Event:
    return list(read(run.journal))[-1].event


def begin(session: Session, spec: Spec) -> None:
    session.emit(ev.RunStarted("x", spec.to_dict(), hostname(), "cpu", 1, {}))


def free(run: Run) -> None:
    """Let go of the run's lock, as the end of a worker's process does."""
    lock = str(run.path / "worker.lock")
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}") == lock:
                os.close(int(descriptor))
        except OSError:
            continue


def test_differences_are_named_with_their_dots() -> None:
    before = {"a": 1, "b": {"c": [1], "d": 2}, "e": {"f": 1}, "g": 0}
    after = {"a": 1, "b": {"c": [1, 2], "d": 2}, "e": 3, "h": None}
    assert differences(before, after) == [
        "b.c: [1] -> [1, 2]", "e: {'f': 1} -> 3", "g: 0 -> None",
    ]  # fmt: skip
    assert differences(before, before) == []


def test_a_run_that_ends_well(run: Run) -> None:
    seen: list[Any] = []

    def work(session: Session, spec: Spec) -> None:
        session.set_status("running")
        state = run.state()
        seen.append((state.status, state.pid, state.host, state.alive, spec.name))
        begin(session, spec)

    assert Session(run).run(work) == 0
    assert seen == [("running", os.getpid(), hostname(), True, "tiny")]
    assert last(run) == ev.RunFinished("finished")
    assert run.state().status == "finished" and run.state().reason is None


@pytest.mark.parametrize(
    ("error", "code", "status", "reason"),
    [
        (Stopped("stopped"), 130, "stopped", "stopped"),
        (Diverged("the loss is NaN", "lower the rate"), 1, "failed", "diverged"),
        (UserError("no such folder", "name another"), 2, "failed", "bad_input"),
        (ZeroDivisionError("oops"), 1, "failed", "failed"),
    ],
)
def test_every_other_end_is_told(
    run: Run,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    status: str,
    reason: str,
) -> None:
    def work(session: Session, spec: Spec) -> None:
        raise error

    assert Session(run).run(work) == code
    assert last(run) == ev.RunFinished(status, reason)
    assert (run.state().status, run.state().reason) == (status, reason)
    if status == "failed":
        told = [r.event for r in read(run.journal) if isinstance(r.event, ev.Message)]
        assert told[0].level == "error" and str(error) in told[0].text
        assert str(error) in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_asks_for_a_stop(run: Run, number: int, code: int) -> None:
    def work(session: Session, spec: Spec) -> None:
        os.kill(os.getpid(), number)
        assert session.stop.wait(10)
        raise Stopped("stopped")

    assert Session(run).run(work) == code
    assert last(run) == ev.RunFinished("stopped", "stopped")


def test_a_closed_terminal_is_no_reason_to_stop(run: Run) -> None:
    def work(session: Session, spec: Spec) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not session.stop.is_set()

    assert Session(run).run(work) == 0


def test_a_request_of_another_host_stops_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LOOK_SECONDS", 0.01)
    (run.path / "stop.request").touch()  # an old one, of an earlier worker, counts for nothing

    def work(session: Session, spec: Spec) -> None:
        assert not session.stop.wait(0.2)
        (run.path / "stop.request").touch()
        assert session.stop.wait(30)
        raise Stopped("stopped")

    assert Session(run).run(work) == 130


def test_the_heartbeat_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(session_module, "HEARTBEAT_SECONDS", 0.02)

    def work(session: Session, spec: Spec) -> None:
        session.readings = lambda: {"device/memory_bytes": 5.0}
        session.emit(ev.Progress("score-s0", 7, 9, "steps"))
        session.set_status("running")
        first, deadline = run.state().heartbeat, time.monotonic() + 30
        while run.state().heartbeat < first + 0.05:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    assert Session(run).run(work) == 0
    readings = [r.event for r in read(run.journal) if isinstance(r.event, ev.Points)]
    assert readings[0] == ev.Points("score-s0", "device/memory_bytes", [7], [0.0], [5.0])
    threads = {t.name for t in threading.enumerate()}
    deadline = time.monotonic() + 30
    while "heartbeat" in threads and time.monotonic() < deadline:
        time.sleep(0.01)
        threads = {t.name for t in threading.enumerate()}
    assert "heartbeat" not in threads


def test_a_second_worker_is_refused_and_changes_nothing(run: Run) -> None:
    codes: list[int] = []

    def work(session: Session, spec: Spec) -> None:
        session.set_status("running")
        before = run.journal.read_bytes(), (run.path / "state.json").read_bytes()
        codes.append(Session(run).run(work))
        assert (run.journal.read_bytes(), (run.path / "state.json").read_bytes()) == before

    assert Session(run).run(work) == 0
    assert codes == [2]


def test_a_changed_spec_is_refused_with_the_difference(run: Run, make_spec: Make) -> None:
    assert Session(run).run(begin) == 0
    free(run)
    assert Session(run).run(begin) == 0  # unchanged
    free(run)
    changed = make_spec(train={"optimizer": {"lr": 0.5}}, seeds=[0, 1])
    run.spec_file.write_text(changed.to_yaml(), encoding="utf-8")
    called: list[Spec] = []
    assert Session(run).run(lambda session, spec: called.append(spec)) == 2
    assert called == []
    told = [r.event for r in read(run.journal) if isinstance(r.event, ev.Message)][-1]
    assert "train.optimizer.lr: 0.1 -> 0.5" in told.text
    assert "retrain.optimizer.lr: 0.1 -> 0.5" in told.text
    assert "seeds: [0] -> [0, 1]" in told.text
    assert "undo the change" in told.text
    assert last(run) == ev.RunFinished("failed", "bad_input")


def test_a_spec_that_is_no_longer_valid(run: Run) -> None:
    run.spec_file.write_text("train: {epohcs: 3ep}\n", encoding="utf-8")
    assert Session(run).run(begin) == 2
    told = [r.event for r in read(run.journal) if isinstance(r.event, ev.Message)][0]
    assert "did you mean 'epochs'" in told.text


def test_a_journal_of_a_newer_version_is_left_as_it_is(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    line = '{"v":2,"seq":0,"ts":1,"type":"message","level":"info","text":"x"}\n'
    run.journal.write_text(line)
    assert Session(run).run(begin) == 2
    assert "newer version" in capsys.readouterr().err
    assert run.journal.read_text() == line
    assert run.state().status == "failed"


def test_what_an_earlier_worker_began_is_known(run: Run) -> None:
    def first(session: Session, spec: Spec) -> None:
        assert session.first_start() is None and session.started_tasks() == frozenset()
        begin(session, spec)
        session.emit(ev.TaskStarted("score-s0", "score", 0))
        session.emit(ev.Points("embed-s0", "x", [1], [0.0], [1.0]))

    def second(session: Session, spec: Spec) -> None:
        start = session.first_start()
        assert start is not None and start.threads == 1
        assert session.started_tasks() == {"score-s0", "embed-s0"}

    assert Session(run).run(first) == 0
    free(run)
    assert Session(run).run(second) == 0


def test_two_signals_end_it_at_once_and_the_journal_is_whole(run: Run) -> None:
    code = f"""
import time
from pathlib import Path
from core import events as ev
from core.runs import Run
from core.session import Session
def work(session, spec):
    session.emit(ev.TaskStarted("score-s0", "score", 0))
    print("working", flush=True)
    time.sleep(60)
Session(Run(Path({str(run.path)!r}))).run(work)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None and worker.stdout.readline() == b"working\n"
        worker.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 30
        while worker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            worker.send_signal(signal.SIGINT)
        assert worker.wait() == 130
    assert last(run) == ev.TaskStarted("score-s0", "score", 0)
    assert run.state().shown == "stale"


def test_versions_name_what_results_depend_on() -> None:
    found = versions()
    assert {"python", "torch", "numpy", "faiss-cpu"} <= found.keys()
    assert found["python"] == sys.version.split()[0]
