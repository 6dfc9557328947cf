"""Runs whose worker is a fake one; the scenario is chosen by the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_samples import SPEC

from core.runs import Run, create_run
from core.spec_load import parse_spec

FAKE = Path(__file__).with_name("fake_worker.py")
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """An empty runs folder."""
    return tmp_path / "runs"


@pytest.fixture
def new_run(runs: Path) -> Run:
    """A run nobody works on."""
    return create_run(runs, parse_spec(SPEC))


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    """The small spec as a file."""
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    return path


@pytest.fixture
def start_fake() -> Iterator[Callable[[Run, str], subprocess.Popen[bytes]]]:
    """Start the fake worker on a run in a scenario; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(run: Run, scenario: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, str(FAKE), str(run.path), scenario], start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def fake(
    monkeypatch: pytest.MonkeyPatch, start_fake: Callable[[Run, str], Any]
) -> Callable[[str], list[tuple[str, ...]]]:
    """Make every front end start the fake worker; gives the extra arguments of each start."""

    def use(scenario: str) -> list[tuple[str, ...]]:
        extras: list[tuple[str, ...]] = []

        def start(run: Run, extra: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
            extras.append(extra)
            return start_fake(run, scenario)  # type: ignore[no-any-return]  # a Popen

        for module in (
            "prunectl.cli.run",
            "prunectl.cli.control",
            "prunectl.api",
            "prunectl.tui.doing",
        ):
            monkeypatch.setattr(f"{module}.start_worker", start)
        return extras

    return use
