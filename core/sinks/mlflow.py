"""The tracking server, as the shipper sees it. The only file that imports MLflow.

Every call is one request that the server takes whole or not at all. What goes wrong is either
``Refused`` (asking again changes nothing) or ``Unreachable`` (later it may work).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import (
    SqlAlchemyStore,
)
from mlflow.tracking import MlflowClient
from requests.exceptions import ConnectionError, Timeout  # noqa: A004  # comes with MLflow

from core.files import fsync_folder
from core.locks import locked
from core.sinks.filesystem import is_local
from core.sinks.names import text_of
from core.sinks.nodes import Data, Point
from core.sinks.server import Refused, Unreachable
from core.sinks.target import sqlite_file

TOKEN = "prunectl.token"
_TEXTS = 100
_FOR_GOOD = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")


class MlflowServer:
    """A tracking server, or a SQLite store: :class:`core.sinks.server.Server` over MLflow."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        file = sqlite_file(uri)
        self._artifacts = None if file is None else artifact_folder(file).as_uri()
        with _translated():
            if file is not None:
                ensure_store(file)
            self._client = MlflowClient(uri, registry_uri=uri)

    def experiment(self, name: str) -> str:
        """Id of the experiment, made when there is none."""
        with _translated():
            found = self._client.get_experiment_by_name(name)
            if found is None:
                try:
                    made: str = self._client.create_experiment(name, self._artifacts)
                    return made
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                    found = self._client.get_experiment_by_name(name)
            if found is None or found.lifecycle_stage != "active":
                raise Unreachable(f"the experiment '{name}' was deleted; restore it in MLflow")
            known: str = found.experiment_id
            return known

    def create(
        self, experiment: str, name: str, start_ms: int, tags: Mapping[str, str], token: str
    ) -> str:
        """Make a run; its id. A refusal is not for good: a deleted experiment can be restored."""
        everything = {**tags, TOKEN: token, "mlflow.source.name": "prunectl"}
        try:
            with _translated():
                run = self._client.create_run(experiment, start_ms, everything, name)
        except Refused as error:
            raise Unreachable(str(error)) from error
        made: str = run.info.run_id
        return made

    def find(self, experiment: str, token: str) -> str | None:
        """The run that was made with this token, if it was. Of several (a request that was done
        twice) the first stays."""
        with _translated():
            wanted = f"tags.`{TOKEN}` = '{token}'"
            found = self._client.search_runs([experiment], wanted, order_by=["created ASC"])
            for double in found[1:]:
                self._client.delete_run(double.info.run_id)
            return found[0].info.run_id if found else None

    def latest(self, run_id: str) -> dict[str, int]:
        """Highest step of every metric the run has."""
        with _translated():
            keys = self._client.get_run(run_id).data.metrics
            return {
                key: max(m.step for m in self._client.get_metric_history(run_id, key))
                for key in keys
            }

    def log(self, run_id: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Set params and tags; again is no harm."""
        with _translated():
            for some in _pieces(list(params.items()), _TEXTS):
                batch = [Param(k, v) for k, v in some]
                self._client.log_batch(run_id, params=batch, synchronous=True)
            for some in _pieces(list(tags.items()), _TEXTS):
                batch = [RunTag(k, v) for k, v in some]
                self._client.log_batch(run_id, tags=batch, synchronous=True)

    def log_points(self, run_id: str, points: Sequence[tuple[str, Point]]) -> None:
        """Add at most :data:`core.sinks.server.BATCH` points."""
        with _translated():
            metrics = [Metric(key, p.value, p.ms, p.step) for key, p in points]
            self._client.log_batch(run_id, metrics=metrics, synchronous=True)

    def log_data(self, run_id: str, data: Data) -> None:
        """Add a dataset the run used; again is no harm."""
        with _translated():
            dataset = Dataset(
                name=data.name, digest=data.digest, source_type="prunectl",
                source=text_of(dict(data.source), 60_000),
                profile=text_of(dict(data.profile), 60_000),
            )  # fmt: skip
            tags = {"mlflow.data.context": data.context, **data.tags}
            entry = DatasetInput(dataset, [InputTag(k, text_of(v, 500)) for k, v in tags.items()])
            self._client.log_inputs(run_id, [entry])

    def log_file(self, run_id: str, file: Path, folder: str | None) -> None:
        """Store a file with the run, in place of an earlier one of that name."""
        with _translated():
            self._client.log_artifact(run_id, str(file), folder)

    def set_status(self, run_id: str, status: str, end_ms: int | None) -> None:
        """Open or close a run."""
        with _translated():
            if end_ms is None:
                self._client.update_run(run_id, status=status)
            else:
                self._client.set_terminated(run_id, status, end_ms)


def artifact_folder(database: Path) -> Path:
    """Where the runs of a SQLite store keep their files."""
    return database.with_name(f"{database.stem}-artifacts")


def ensure_store(database: Path) -> None:
    """Make a SQLite store with MLflow's tables, unless it is there.

    It is built beside its place and renamed, under a lock: several MLflow processes that open a
    fresh database together destroy it, and so does one that is killed while it makes the tables.
    """
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with locked(database.with_name(f"{database.name}.lock")):
        if database.exists():
            return
        unfinished = database.with_name(f".{database.name}.new")
        for leftover in database.parent.glob(f"{unfinished.name}*"):
            leftover.unlink()
        store = SqlAlchemyStore(f"sqlite:///{unfinished}", artifact_folder(database).as_uri())
        store.engine.dispose()
        with sqlite3.connect(unfinished) as connection:
            if is_local(database.parent):  # readers and the writer do not wait for each other
                connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        os.replace(unfinished, database)
        fsync_folder(database.parent)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn whatever MLflow and what is below it raise into the two kinds the shipper knows."""
    try:
        yield
    except (Refused, Unreachable):
        raise
    except MlflowException as error:
        kind = Refused if error.error_code in _FOR_GOOD else Unreachable
        raise kind(_line(error)) from error
    except Exception as error:
        # requests, urllib3, SQLAlchemy, the file system: their classes are many, the answer is one
        raise Unreachable(_line(error)) from error


def _line(error: Exception) -> str:
    """The error in one line; of trouble on the way to the server only what it was."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, Timeout) or "timed out" in str(chain):
            return "the server did not answer in time (timed out)"
        if isinstance(chain, ConnectionError):
            return "the server cannot be reached (no connection)"
        chain = chain.__cause__ or chain.__context__
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first.strip()}"[:300]


def _pieces(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
