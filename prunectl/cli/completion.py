"""What the shell completes: run ids, preset names, plug-in kinds.

Called on every TAB, so it looks at folder names only and imports nothing of the engine. A problem
is an empty answer: a completion must not print.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import typer

_KINDS = ("dataset", "model", "paradigm", "score", "extrapolator", "policy")


def run_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs of the runs folder, newest first."""
    return _starting(_ids(_runs(ctx)), incomplete)


def trashed_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs in the trash."""
    return _starting(_ids(_runs(ctx) / ".trash"), incomplete)


def preset_names(incomplete: str) -> list[str]:
    """Presets of all folders."""
    from prunectl.presets import all_presets

    return _starting((p.name for p in all_presets()), incomplete)


def kinds(incomplete: str) -> list[str]:
    """Kinds of plug-ins."""
    return _starting(_KINDS, incomplete)


def sources(incomplete: str) -> list[str]:
    """Dataset plug-ins."""
    from core.registry import names

    return _starting(names("dataset"), incomplete)


def dataset_ids(incomplete: str) -> list[str]:
    """Prepared datasets."""
    from core.data.locations import default_cache_root

    try:
        found = [e.name for e in os.scandir(default_cache_root()) if e.is_dir()]
    except Exception:  # no such folder, no home: nothing to offer
        return []
    return _starting(sorted(name for name in found if not name.startswith(".")), incomplete)


def _runs(ctx: typer.Context) -> Path:
    given = ctx.params.get("runs_dir") or os.environ.get("PRUNECTL_RUNS") or "runs"
    return Path(given).expanduser()


def _ids(folder: Path) -> list[str]:
    try:
        found = [e for e in os.scandir(folder) if _started(Path(e.path))]
        return [e.name for e in sorted(found, key=lambda e: e.stat().st_mtime, reverse=True)]
    except OSError:
        return []


def _started(folder: Path) -> bool:
    return (folder / "spec.yaml").is_file() or (folder / "sweep.yaml").is_file()


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
