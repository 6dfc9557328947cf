"""The process behind ``prunectl ui``: MLflow's own server, light, on one SQLite store.

``python -P -m core.sinks.ui DATABASE PORT`` becomes the server.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.sinks.target import mlflow_environment

HOST = "127.0.0.1"


def command(database: Path, artifacts: str, port: int) -> list[str]:
    """MLflow's server on a store: this host only, one worker."""
    return [
        sys.executable, "-P", "-m", "mlflow", "server",
        "--backend-store-uri", f"sqlite:///{database}", "--default-artifact-root", artifacts,
        "--host", HOST, "--port", str(port), "--workers", "1",
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Make the store if there is none, then become the server."""
    database, port = Path(arguments[0]), int(arguments[1])
    os.environ.update(mlflow_environment())
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    from core.sinks.mlflow import artifact_folder, ensure_store

    ensure_store(database)
    line = command(database, artifact_folder(database).as_uri(), port)
    os.execv(line[0], line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
