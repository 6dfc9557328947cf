"""What importing a module may load: looked at in a process of its own, module by module.

The static half of this contract stands in pyproject.toml ([tool.importlinter]).
"""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import prunectl

HEAVY = {"torch", "torchvision", "sklearn", "faiss", "scipy", "mlflow", "textual", "matplotlib"}
FRONT_ENDS = {"prunectl", "typer", "textual", "rich"}
# Engine modules that front ends import; none may need what only a worker has.
LIGHT_CORE = [
    "core", "core.artifacts", "core.cost", "core.data.locations", "core.errors", "core.events",
    "core.files", "core.journal", "core.leases", "core.locks", "core.plan.build", "core.registry",
    "core.replay", "core.rng", "core.runs", "core.session", "core.spec", "core.spec_load",
    "core.store", "core.units",
]  # fmt: skip
PRUNECTL = ["prunectl", *(m.name for m in pkgutil.walk_packages(prunectl.__path__, "prunectl."))]


def _loaded(code: str) -> set[str]:
    """Top-level packages in memory after this code ran in a fresh interpreter."""
    listing = "import sys, json; print(); print(json.dumps(list(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\n{listing}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    modules = json.loads(told.stdout.splitlines()[-1])
    return {*(m.split(".")[0] for m in modules), *(m for m in modules if m.startswith("core."))}


@pytest.mark.parametrize("module", PRUNECTL)
def test_front_ends_load_nothing_heavy(module: str) -> None:
    allowed = {"textual"} if module.startswith("prunectl.tui.") else set()
    assert not _loaded(f"import {module}") & (HEAVY - allowed)


@pytest.mark.parametrize("module", LIGHT_CORE)
def test_the_light_engine_loads_nothing_heavy_and_no_front_end(module: str) -> None:
    assert not _loaded(f"import {module}") & (HEAVY | FRONT_ENDS)


def test_the_worker_loads_no_front_end() -> None:
    loaded = _loaded("import core.worker, core.work, core.jobs")
    assert "torch" in loaded  # the check can see what is loaded
    assert not loaded & FRONT_ENDS


def test_help_loads_typer_and_nothing_of_the_engine() -> None:
    code = (
        "import sys; sys.argv = ['prunectl', '--help']\n"
        "from prunectl.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    loaded = _loaded(code)
    assert "typer" in loaded
    assert not loaded & (HEAVY | {"numpy", "pydantic", "yaml", "pyarrow"})
    assert not [m for m in loaded if m.startswith("core.")]
