"""The SQLite store: made whole or not at all, on the right place, and looked at by doctor."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.sinks import health, target
from core.sinks.filesystem import is_local
from core.sinks.mlflow import MlflowServer, artifact_folder, ensure_store


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("store") / "mlflow.db"
    ensure_store(made)
    return made


def test_the_store_has_wal_and_an_absolute_artifact_root(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        rows = connection.execute("SELECT artifact_location FROM experiments").fetchall()
    assert [r[0] for r in rows] == [f"{artifact_folder(database).as_uri()}/0"]


def test_an_old_file_store_in_the_working_directory_changes_nothing(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: 0\nname: Default\n")
    monkeypatch.chdir(tmp_path)
    server = MlflowServer(f"sqlite:///{database}")
    run = server.create(server.experiment("here"), "x", 0, {}, "token")
    server.log_file(run, tmp_path / "mlruns" / "0" / "meta.yaml", None)
    assert list(artifact_folder(database).rglob("meta.yaml"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlruns"]
    assert [p.name for p in (tmp_path / "mlruns").iterdir()] == ["0"]


def test_making_it_again_changes_nothing(database: Path) -> None:
    before = database.stat().st_ino
    ensure_store(database)
    assert database.stat().st_ino == before


def test_killed_while_it_is_made_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    code = (
        "from pathlib import Path\nfrom core.sinks.mlflow import ensure_store\n"
        f"ensure_store(Path({str(database)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-P", "-c", code])
    while not list(tmp_path.glob(".mlflow.db.new*")):
        assert child.poll() is None
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not database.exists()
    ensure_store(database)
    assert health.check_store(database)[0]
    assert not list(tmp_path.glob(".mlflow.db.new*"))


def test_doctor_knows_the_tables_of_the_installed_mlflow(database: Path) -> None:
    fit, text = health.check_store(database)
    assert fit
    assert "journal mode wal" in text
    known, head = health.revisions()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone()[0] == head
    assert len(known) > 20


@pytest.mark.parametrize(
    ("revision", "said"), [("451aebb31d03", "mlflow db upgrade"), ("ffff", "newer MLflow")]
)
def test_doctor_sees_other_tables(tmp_path: Path, revision: str, said: str) -> None:
    database = tmp_path / "old.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    fit, text = health.check_store(database)
    assert not fit
    assert said in text


def test_doctor_sees_a_damaged_and_a_locked_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged, locked = tmp_path / "damaged.db", tmp_path / "locked.db"
    damaged.write_bytes(b"this is no database " * 100)
    assert "damaged" in health.check_store(damaged)[1]
    with closing(sqlite3.connect(locked)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    monkeypatch.setattr(health, "_SECONDS", 0.1)
    with closing(sqlite3.connect(locked, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        fit, text = health.check_store(locked)
    assert not fit
    assert "locked by another process" in text


def test_a_server_that_is_down_does_not_make_the_machine_unfit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    name, fit, text = health.check(tmp_path)[1]
    assert (name, fit) == ("tracking server", True)
    assert "does not answer" in text


def test_a_network_file_system_is_told_from_a_disk(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\nhost:/x /net/a nfs4 rw 0 0\nme@x: /net/b fuse.sshfs rw 0 0\n"
    )
    assert is_local(Path("/home/x"), mounts)
    assert not is_local(Path("/net/a/runs"), mounts)
    assert not is_local(Path("/net/b"), mounts)
    assert not is_local(Path("/home"), tmp_path / "missing")


def test_a_relative_sqlite_address_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.spec import TrackingSpec

    monkeypatch.chdir(tmp_path)
    assert target.resolve(TrackingSpec(uri="sqlite:///x.db")).uri == f"sqlite:///{tmp_path}/x.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://h:1")
    assert target.resolve(TrackingSpec()) == target.Target("http://h:1", "prunectl")
    assert target.resolve(TrackingSpec(uri="http://other:2", experiment="e")).experiment == "e"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    default = target.resolve(TrackingSpec())
    assert default.uri is None
    assert default.address(tmp_path) == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
