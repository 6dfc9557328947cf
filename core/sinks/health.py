"""Is the tracking store fit? Answered without importing MLflow."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from core.sinks import target

Finding = tuple[str, bool, str]
"""Name, whether it is well, what was found and what to do."""
_REVISION = re.compile(r"^(down_revision|revision)\b[^=]*=\s*(.+?)\s*$", re.MULTILINE)
_QUOTED = re.compile(r"['\"](\w+)['\"]")
_SECONDS = 3.0


def check(runs: Path) -> list[Finding]:
    """MLflow itself, and the store or server that runs started now would be sent to."""
    try:
        found: list[Finding] = [("mlflow", True, f"mlflow {version('mlflow')}")]
    except PackageNotFoundError:
        return [("mlflow", False, "not installed: pip install 'mlflow>=3.17,<3.18'")]
    given = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    uri = given or f"sqlite:///{target.database(runs)}"
    file = target.sqlite_file(uri)
    if file is not None:
        found.append(("tracking store", *check_store(file)))
    elif uri.startswith(("http://", "https://")):
        found.append(("tracking server", True, _answers(uri)))
    else:
        found.append(("tracking server", True, f"{uri} (not looked at)"))
    return found


def check_store(database: Path) -> tuple[bool, str]:
    """Whether a SQLite store can be opened, and its tables are those of the installed MLflow."""
    if not database.exists():
        return True, f"{database} (made when needed)"
    try:
        address = f"file:{quote(str(database))}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=_SECONDS)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False, f"{database} is locked by another process; runs go on, points wait"
        return False, f"{database}: {error}; move it away, then prunectl sync makes a new one"
    except sqlite3.DatabaseError as error:
        return False, f"{database} is damaged ({error}); move it away, runs do not need it"
    return _judge(database, str(row[0]) if row else "", mode)


def _judge(database: Path, revision: str, mode: str) -> tuple[bool, str]:
    known, head = revisions()
    if revision == head or not head:
        return True, f"{database} (journal mode {mode})"
    if revision in known:
        upgrade = f"mlflow db upgrade sqlite:///{database}"
        return False, f"{database} has the tables of an older MLflow; back it up, then: {upgrade}"
    return False, f"{database} was made by a newer MLflow; upgrade mlflow"


def revisions() -> tuple[set[str], str]:
    """All table versions the installed MLflow knows, and the newest one (empty: cannot tell)."""
    package = find_spec("mlflow")
    folders = list(package.submodule_search_locations or ()) if package else []
    parents: dict[str, list[str]] = {}
    for folder in folders:
        for file in Path(folder, "store", "db_migrations", "versions").glob("*.py"):
            found = dict(_REVISION.findall(file.read_text(encoding="utf-8")))
            own = _QUOTED.findall(found.get("revision", ""))
            if own:
                parents[own[0]] = _QUOTED.findall(found.get("down_revision", ""))
    heads = set(parents) - {parent for some in parents.values() for parent in some}
    return set(parents), heads.pop() if len(heads) == 1 else ""


def _answers(uri: str) -> str:
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=_SECONDS):
            return f"{uri} answers"
    except HTTPError as error:
        return f"{uri} answers ({error.code})"
    except OSError as error:
        return f"{uri} does not answer ({error}); runs go on, points wait (prunectl sync)"
