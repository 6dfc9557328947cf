"""Tracking against real stores and servers that are down, slow, locked or killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from faults.harness import SPEC, Checkpoints, finish, start, wait_until
from faults.tracking import (
    Story,
    end_shipper,
    free_port,
    kill_server,
    mlflow_server,
    ship_once,
    shipper,
    shown,
    start_server,
    wait_for,
    wanted,
)

from core import events as ev
from core.journal import read
from core.runs import Run, create_run, request_stop
from core.sinks import target
from core.sinks.mlflow import ensure_store
from core.spec_load import parse_spec
from prunectl import tracking

TINY = {
    **SPEC,
    "model": {"name": "linear"},
    "train": {"epochs": "2ep", "batch": 256},
    "score": {"name": "el2n", "preset": "ccs", "epoch": 0, "span": 1},
    "reference": "none",
    "baselines": ["full"],
    "tracking": {"enabled": True},
}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    """A runs folder without a store, whose shipper ends with the test."""
    folder = tmp_path / "runs"
    folder.mkdir()
    yield folder
    end_shipper(folder)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow needs seconds to make its tables: they are made once, and copied."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    ensure_store(database)
    return database


@pytest.fixture
def runs(fresh: Path, empty_store: Path) -> Path:
    """A runs folder with an empty store."""
    target.folder(fresh).mkdir()
    shutil.copyfile(empty_store, target.database(fresh))
    return fresh


def tracked_run(runs: Path, **changes: object) -> Run:
    return create_run(runs, parse_spec({**TINY, **changes}))


def store(runs: Path) -> str:
    return f"sqlite:///{target.database(runs)}"


def send(runs: Path, *wanted_runs: Run) -> None:
    tracking.send(runs, wanted_runs, lambda text: None)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, "KILLED"), (signal.SIGKILL, "FAILED")]
)
def test_a_stopped_and_a_killed_run_are_closed_truly_and_resumed(
    runs: Path, number: int, status: str
) -> None:
    run, go = tracked_run(runs), runs / "go"
    child = start(run, hold=(Checkpoints("score", 1), go))
    wait_until(lambda: any(isinstance(r.event, ev.Checkpoint) for r in read(run.journal)))
    assert child.pid is not None
    os.kill(child.pid, number)
    finish(child)
    wait_for(lambda: target.sending(run).complete)
    before = target.block(run)
    assert shown(store(runs), run)["run"]["status"] == status
    go.touch()
    run.write_state(type(run.state())(host=run.state().host, heartbeat=time.time()))
    assert finish(start(run)) == 0
    wait_for(lambda: target.sending(run).complete)
    assert target.block(run) == before
    assert shown(store(runs), run) == wanted(run)
    assert shown(store(runs), run)["run"]["status"] == "FINISHED"


def _watch_training(log: str, runs: str) -> None:
    """In the worker: note every connection, process, database and import from now on."""
    import core.sinks.start

    names = (
        "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "sqlite3.connect", "import",
    )  # fmt: skip
    out = open(log, "a", buffering=1)  # noqa: SIM115  # as long as the process

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "import" and str(args[0]).partition(".")[0] != "mlflow":
            return
        if event == "open" and str(args[0]).startswith(runs) and "mlflow" in str(args[0]):
            print("open", args[0], args[1], file=out)
        elif event in names:
            print(event, args[0], file=out)

    sys.addaudithook(hook)
    assert core.sinks.start.track is not None


def test_no_call_on_the_training_path_is_about_tracking(runs: Path, tmp_path: Path) -> None:
    """Traced, not timed: after the first task has begun the worker opens no connection, starts no
    process, opens no database, imports no MLflow; all it does is read a small file at the end."""
    log = tmp_path / "trace"
    uri = f"http://127.0.0.1:{free_port()}"  # nobody answers there
    run = tracked_run(runs, tracking={"enabled": True, "uri": uri})
    assert finish(start(run, first=partial(_watch_training, str(log), str(runs)))) == 0
    lines = log.read_text().splitlines()
    lines = [line for line in lines if line != "subprocess.Popen git"]  # the folder's commit
    started = [line for line in lines if line.startswith("subprocess.Popen")]
    assert len(started) == 1  # the shipper
    own = {"subprocess.Popen", "open"}
    assert {line.split()[0] for line in lines} <= own
    opened = [line.split()[1:] for line in lines if line.startswith("open")]
    beside = {str(target.folder(runs) / "shipper.log"), str(run.path / target.CURSOR_FILE)}
    assert {path for path, *_ in opened} <= beside
    assert all(mode == ["r"] for path, *mode in opened if path.endswith(target.CURSOR_FILE))


def test_without_mlflow_an_untracked_run_works(runs: Path, tmp_path: Path) -> None:
    run = tracked_run(runs, tracking={"enabled": False})
    blocker = tmp_path / "sitecustomize.py"
    blocker.write_text(
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'mlflow':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, No())\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    probe = [sys.executable, "-P", "-c", "import mlflow"]
    assert subprocess.run(probe, env=env, capture_output=True).returncode == 1
    worker = [sys.executable, "-P", "-m", "core.worker", str(run.path)]
    assert subprocess.run(worker, env=env).returncode == 0
    assert not target.lock_file(runs).exists()
    assert not (run.path / target.TARGET_FILE).exists()


def test_a_server_that_is_down_then_up_then_killed_gets_everything_once(
    runs: Path, empty_store: Path, tmp_path: Path
) -> None:
    port, place = free_port(), tmp_path / "server"
    place.mkdir()
    shutil.copyfile(empty_store, place / "server.db")
    uri = f"http://127.0.0.1:{port}"
    story = Story(runs, uri)
    story.begin()
    story.do(story.task("score"))
    assert ship_once(runs) == 1  # down at the start
    assert target.sending(story.run).problem
    process = start_server(place / "server.db", port)
    try:
        assert ship_once(runs) == 0
        for task in story.tasks[2:]:
            story.do(task)
        late = Story(runs, uri)
        late.whole()
        sender = shipper(runs, "--once")
        wait_for(lambda: (late.run.path / target.CURSOR_FILE).exists())
    finally:
        kill_server(process)  # in the middle of a request, like as not
    sender.wait(120)
    story.end()
    with mlflow_server(place / "server.db", port):
        send(runs, story.run, late.run)
        assert shown(uri, story.run) == wanted(story.run)
        assert shown(uri, late.run) == wanted(late.run)
        run_id = (target.block(late.run) or {})["run_id"]
        assert artifacts(uri, run_id) >= {"spec.yaml", "summary.json", "tradeoff.png"}


def artifacts(uri: str, run_id: str) -> set[str]:
    from mlflow.tracking import MlflowClient

    return {a.path for a in MlflowClient(uri, registry_uri=uri).list_artifacts(run_id)}


def test_a_server_that_takes_the_call_and_never_answers_is_given_up(runs: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        run = Story(runs, f"http://127.0.0.1:{silent.getsockname()[1]}").whole()
        assert ship_once(runs, MLFLOW_HTTP_REQUEST_TIMEOUT="1") == 1
    assert "timed out" in str(target.sending(run).problem)
    assert not target.sending(run).complete


def locked_for(runs: Path, seconds: float) -> None:
    """Points that come while another connection holds the store exclusively arrive later, once."""
    first, second = Story(runs), Story(runs)
    first.whole()
    assert ship_once(runs) == 0
    with closing(sqlite3.connect(target.database(runs), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        second.whole()  # the run itself never waits: it is over while the store is locked
        process = shipper(runs, "--idle", "60")
        time.sleep(seconds)
        assert not target.sending(second.run).complete
        other.execute("ROLLBACK")
    wait_for(lambda: target.sending(second.run).complete, 90)
    process.terminate()
    process.wait()
    for story in (first, second):
        assert shown(store(runs), story.run) == wanted(story.run)


def test_a_locked_store_delays_points_and_nothing_else(runs: Path) -> None:
    locked_for(runs, 4.0)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_store_that_is_locked_for_thirty_seconds(runs: Path) -> None:
    locked_for(runs, 30.0)


def kill_shippers(runs: Path, story: Story, kills: int) -> None:
    """A shipper that is killed again and again while it sends."""
    story.begin()
    for index, task in enumerate(story.tasks):
        story.do(task)
        if index < kills:
            process = shipper(runs)
            wait_for(lambda: tracking.shipping(runs))
            time.sleep(1.5 + 0.11 * index)  # MLflow is loaded by then, more or less
            process.kill()
            process.wait()
    story.end()
    send(runs, story.run)
    assert shown(store(runs), story.run) == wanted(story.run)


def test_a_shipper_killed_at_any_moment_loses_and_doubles_nothing(runs: Path) -> None:
    kill_shippers(runs, Story(runs), 2)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_many_killed_shippers(runs: Path) -> None:
    rates = {"rates": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}
    kill_shippers(runs, Story(runs, prune=rates, seeds=[0, 1]), 30)


def eight_first_starts(runs: Path) -> None:
    """Eight workers that start together on a folder without a store."""
    everything = [tracked_run(runs, seeds=[seed], baselines=[]) for seed in range(8)]
    children = [start(run) for run in everything]
    assert [finish(child) for child in children] == [0] * 8
    wait_for(lambda: all(target.sending(run).complete for run in everything), 90)
    for run in everything:
        assert shown(store(runs), run) == wanted(run)
        assert (run.summary() or {})["mlflow"] == target.block(run)
    logged = (target.folder(runs) / "shipper.log").read_text()
    assert "Traceback" not in logged
    assert logged.count("Creating initial MLflow database tables") == 1


@pytest.mark.parametrize("repeat", range(2))
def test_eight_workers_start_on_a_fresh_store(fresh: Path, repeat: int) -> None:
    eight_first_starts(fresh)


@pytest.mark.soak
@pytest.mark.parametrize("repeat", range(20))
def test_eight_workers_start_on_a_fresh_store_often(fresh: Path, repeat: int) -> None:
    eight_first_starts(fresh)


def test_of_two_shippers_one_stays_and_it_goes_when_idle(runs: Path) -> None:
    first = target.start_shipper(runs, "--idle", "2")
    wait_for(lambda: tracking.shipping(runs))
    assert ship_once(runs) == target.BUSY
    assert os.getpriority(os.PRIO_PROCESS, first.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getsid(first.pid) == first.pid  # no terminal's signals reach it
    assert first.wait(30) == 0
    assert not tracking.shipping(runs)


def test_sync_waits_for_the_shipper_that_is_at_work(runs: Path) -> None:
    run = Story(runs).whole()
    shipper(runs)
    wait_for(lambda: tracking.shipping(runs))
    said: list[str] = []
    tracking.send(runs, [run], said.append)
    assert said
    assert shown(store(runs), run) == wanted(run)


def test_a_finished_run_is_resumed_and_synced_again_without_a_trace(runs: Path) -> None:
    run = tracked_run(runs)
    assert finish(start(run)) == 0
    send(runs, run)
    before = shown(store(runs), run)
    assert finish(start(run)) == 0
    send(runs, run)
    assert shown(store(runs), run) == before
    assert "not running" in request_stop(run)
