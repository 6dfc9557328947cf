"""What the server is known to have of a run: ``mlflow.json`` in the run folder.

Saved after the server's answer. Before anything is sent, the nodes it is about are saved as being
in doubt; whoever finds doubts (after a kill, or after an answer that never came) asks the server
what it has before sending more. So every point arrives once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files import read_json, write_json

SCHEMA = 1


@dataclass
class Sent:
    """What the server has of one node."""

    token: str = field(default_factory=lambda: secrets.token_hex(12))
    """Told to the server at creation: finds a run whose creation was never answered."""
    run_id: str | None = None
    params: bool = False
    last: dict[str, int] = field(default_factory=dict)
    """Highest step by metric key."""
    tags: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    """Digests of the datasets."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the artifacts by path in the run folder."""
    status: str | None = None
    refused: str | None = None
    """Why the server takes no more for this node."""


@dataclass
class Cursor:
    """All nodes of a run."""

    path: Path
    tracking_uri: str = ""
    experiment_id: str | None = None
    offset: int = 0
    """Journal bytes that the server has answered for."""
    closed: bool = False
    """The run is over on the server too, with its files."""
    problem: str | None = None
    doubts: list[str] = field(default_factory=list)
    nodes: dict[str, Sent] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Cursor:
        """The saved cursor, or a new one. UserError when a newer version wrote it."""
        plain = read_json(path)
        if not isinstance(plain, Mapping):
            return cls(path)
        if int(plain.get("schema", 0)) > SCHEMA:
            raise UserError(f"{path} was written by a newer version", "upgrade prunectl")
        known = {k: v for k, v in plain.items() if k in cls.__dataclass_fields__}
        sent = {name: Sent(**node) for name, node in known.pop("nodes", {}).items()}
        return cls(path, nodes=sent, **known)

    def save(self) -> None:
        """Replace the file; on the disk when this returns."""
        plain: dict[str, Any] = {"schema": SCHEMA, **asdict(self)}
        del plain["path"]
        write_json(self.path, plain)

    def doubt(self, nodes: Iterable[str]) -> None:
        """Say, durably, that something about these nodes is going to be sent."""
        self.doubts = sorted({*self.doubts, *nodes})
        for name in self.doubts:
            self.nodes.setdefault(name, Sent())
        self.save()
