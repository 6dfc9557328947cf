"""Every test lives in folders of its own; tests of a GPU are left out where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-snapshots`` writes the pictures of the console's screens anew."""
    parser.addoption("--update-snapshots", action="store_true", default=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect ``gpu`` tests on a machine without a CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked or _cuda():
        return
    config.hook.pytest_deselected(items=marked)
    items[:] = [item for item in items if item not in marked]


def _cuda() -> bool:
    import torch  # only where a collected test asks: listing tests stays quick

    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def _shared_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from or written to the user's own folders; prepared data is shared."""
    base = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(("PRUNECTL_", "MLFLOW_"))]:
            patch.delenv(name)
        patch.setenv("PRUNECTL_DATA", str(base / "data"))
        _set_folders(patch, base)
        yield


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home, a runs folder and a place for leases for this test alone, beside its tmp_path."""
    _set_folders(monkeypatch, tmp_path_factory.mktemp("own"))


def _set_folders(patch: pytest.MonkeyPatch, base: Path) -> None:
    for variable, name in (("HOME", "home"), ("XDG_RUNTIME_DIR", "runtime")):
        (base / name).mkdir(exist_ok=True)
        patch.setenv(variable, str(base / name))
    patch.delenv("XDG_CONFIG_HOME", raising=False)
    patch.setenv("PRUNECTL_RUNS", str(base / "runs"))
