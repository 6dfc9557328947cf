"""`sync`, `ui`, doctor's look at tracking, and what `run` says of it at its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from faults.tracking import Story, end_shipper, free_port, shown, wait_for, wanted
from typer.testing import CliRunner

from core.errors import UserError
from core.sinks import target
from prunectl import tracking
from prunectl.cli.main import app

PROGRAM = [sys.executable, "-P", "-m", "prunectl.cli.main"]


@pytest.fixture
def runs() -> Path:
    return Path(os.environ["PRUNECTL_RUNS"])


def test_sync_sends_a_run_by_its_prefix_and_says_where(runs: Path) -> None:
    run = Story(runs).whole()
    done = CliRunner().invoke(app, ["sync", run.id[:4]])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{run.id}: sent to sqlite:///{target.database(runs)}\n"
    assert shown(f"sqlite:///{target.database(runs)}", run) == wanted(run)
    assert "all of it is sent" in str(tracking.word(run))


def test_sync_says_what_could_not_be_sent_and_that_nothing_is_lost(runs: Path) -> None:
    run = Story(runs, f"http://127.0.0.1:{free_port()}").whole()
    done = CliRunner().invoke(app, ["sync"])
    assert done.exit_code == 4
    assert f"{run.id} could not be sent: the server cannot be reached" in done.stderr
    assert "nothing is lost" in done.stderr
    assert "Traceback" not in done.stderr
    word = str(tracking.word(run))
    assert "the run needs nothing of it" in word
    end_shipper(runs)


def test_sync_of_an_untracked_run_is_refused(runs: Path) -> None:
    story = Story(runs)
    (story.run.path / target.TARGET_FILE).unlink()
    text = story.run.spec_file.read_text()
    story.run.spec_file.write_text(text.replace("enabled: true", "enabled: false"))
    done = CliRunner().invoke(app, ["sync", story.run.id])
    assert done.exit_code == 2
    assert "tracking.enabled" in done.stderr


def test_sync_of_an_empty_folder_is_no_error(runs: Path) -> None:
    done = CliRunner().invoke(app, ["sync"])
    assert done.exit_code == 0
    assert "no run in" in done.stderr


def test_a_run_that_never_began_has_nothing_to_send(runs: Path) -> None:
    story = Story(runs)
    story.state("failed", "bad_input")
    done = CliRunner().invoke(app, ["sync", story.run.id])
    assert done.exit_code == 0
    assert "nothing to send" in done.stderr
    assert tracking.word(story.run) is None


def test_without_mlflow_sync_says_what_to_install(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Story(runs).whole()
    monkeypatch.setattr(target, "installed", lambda: False)
    done = CliRunner().invoke(app, ["sync", run.id])
    assert done.exit_code == 4
    assert "pip install" in done.stderr
    assert "not installed" in str(tracking.word(run))


def test_a_run_that_is_being_sent_says_so_and_a_dead_shipper_is_replaced(runs: Path) -> None:
    run = Story(runs).whole()
    word = str(tracking.word(run))
    assert f"prunectl sync {run.id} waits for them" in word
    wait_for(lambda: target.sending(run).complete, 90)
    end_shipper(runs)


def test_an_untracked_run_says_nothing_of_tracking(runs: Path) -> None:
    story = Story(runs)
    (story.run.path / target.TARGET_FILE).unlink()
    assert tracking.word(story.whole()) is None


def test_enrolling_notes_the_target_of_an_older_run(runs: Path) -> None:
    story = Story(runs)
    (story.run.path / target.TARGET_FILE).unlink()
    tracking.enrol(story.run)
    assert target.target_of(story.run) == target.Target(None, target.EXPERIMENT)
    story.run.spec_file.unlink()
    with pytest.raises(UserError):
        (story.run.path / target.TARGET_FILE).unlink()
        tracking.enrol(story.run)


def test_doctor_looks_at_mlflow_and_the_store(runs: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    checks = {c["name"]: c for c in json.loads(done.stdout)["checks"]}
    assert checks["mlflow"]["ok"]
    assert "made when needed" in checks["tracking store"]["text"]
    target.folder(runs).mkdir(parents=True)
    target.database(runs).write_bytes(b"no database at all " * 99)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    checks = {c["name"]: c for c in json.loads(done.stdout)["checks"]}
    assert not checks["tracking store"]["ok"]
    assert done.exit_code == 4


def test_ui_on_a_server_only_names_it(runs: Path) -> None:
    Story(runs, "http://tracking.example:5000")
    done = CliRunner().invoke(app, ["ui"])
    assert (done.exit_code, done.stdout) == (0, "http://tracking.example:5000\n")


def test_ui_refuses_a_port_that_is_taken(runs: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = CliRunner().invoke(app, ["ui", "--port", str(other.getsockname()[1])])
    assert done.exit_code == 2
    assert "is taken" in done.stderr


def test_ui_makes_the_store_serves_it_while_a_run_is_sent_and_ends_whole(runs: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [*PROGRAM, "ui", "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"http://127.0.0.1:{port}/")
    run = Story(runs).whole()
    assert CliRunner().invoke(app, ["sync"]).exit_code == 0
    assert shown(f"http://127.0.0.1:{port}", run) == wanted(run)
    with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
        assert b"<html" in page.read(2000)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
