"""Which commit the work was started from."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PATIENCE = 2.0


def git_commit(folder: Path) -> str | None:
    """The commit checked out where ``folder`` lies, ``-dirty`` when tracked files differ from it.
    None outside a repository, without git, or when it does not answer in two seconds."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None or commit.returncode or not commit.stdout.strip():
        return None
    changes = _git(folder, "diff", "--quiet", "HEAD", "--")
    dirty = changes is not None and changes.returncode == 1
    return commit.stdout.strip() + ("-dirty" if dirty else "")


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    line = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(
            line, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
