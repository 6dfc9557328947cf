"""What a tracking server is to the shipper, and the two ways in which it can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from core.sinks.nodes import Data, Point

BATCH = 1000
"""Most points in one request."""


class Unreachable(Exception):
    """The server did not answer, or answered that it cannot now: later it may work."""


class Refused(Exception):
    """The server will never take this: a deleted run, a value it does not accept."""


class Server(Protocol):
    """One tracking server. Every request is taken whole or not at all, and making it again does
    no harm, but for :meth:`create` and :meth:`log_points`: after an answer that did not come,
    :meth:`find` and :meth:`latest` say what is there."""

    def experiment(self, name: str) -> str:
        """Id of the experiment, made when there is none."""

    def create(
        self, experiment: str, name: str, start_ms: int, tags: Mapping[str, str], token: str
    ) -> str:
        """Make a run; its id."""

    def find(self, experiment: str, token: str) -> str | None:
        """Id of the run that was made with this token, if it was."""

    def latest(self, run_id: str) -> dict[str, int]:
        """Highest step of every metric the run has."""

    def log(self, run_id: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Set params and tags."""

    def log_points(self, run_id: str, points: Sequence[tuple[str, Point]]) -> None:
        """Add at most :data:`BATCH` points."""

    def log_data(self, run_id: str, data: Data) -> None:
        """Add a dataset the run used."""

    def log_file(self, run_id: str, file: Path, folder: str | None) -> None:
        """Store a file with the run, in place of an earlier one of that name."""

    def set_status(self, run_id: str, status: str, end_ms: int | None) -> None:
        """Open or close a run."""
