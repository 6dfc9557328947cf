"""Cells that raise, exit hard, segfault, are killed or hang: the others never notice, and what is
told of them is true. Through the command line, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from faults import sweeping
from faults.harness import outcome, same, wait_until

from core.sweeps import Sweep, list_sweeps

FAULTY = Path(__file__).with_name("faulty")
HOWS = ["fine", "raise", "exit", "segfault", "kill", "hang"]
Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The faulty policy is installed; leases and runs are this module's own."""
    base = tmp_path_factory.mktemp("failing")
    (base / "runtime").mkdir()
    return {
        **os.environ, "PYTHONPATH": str(FAULTY), "XDG_RUNTIME_DIR": str(base / "runtime"),
        "PRUNECTL_RUNS": str(base / "runs"), "COLUMNS": "200",
    }  # fmt: skip


@pytest.fixture(scope="module")
def call(environment: dict[str, str]) -> Call:
    """The command line, as a user calls it."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "prunectl.cli.main", *arguments], env=environment, timeout=180,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def mended(environment: dict[str, str]) -> Path:
    return Path(environment["PRUNECTL_RUNS"]).parent / "mended"


@pytest.fixture(scope="module")
def told(call: Call, environment: dict[str, str], mended: Path) -> subprocess.CompletedProcess[str]:
    """One sweep with a cell for every way to go wrong."""
    spec = {**sweeping.SPEC, "name": "planted"}
    del spec["sweep"]
    spec["prune"] = {"rates": [0.5], "policy": "faulty_policy", "mended": str(mended)}
    file = Path(environment["PRUNECTL_RUNS"]).parent / "planted.yaml"
    file.write_text(yaml.safe_dump(spec))
    axis = f"prune.how={','.join(HOWS)}"
    return call("sweep", str(file), "--axis", axis, "--yes", "--jobs", "2", "--cell-timeout", "6s")


@pytest.fixture(scope="module")
def sweep(told: subprocess.CompletedProcess[str], environment: dict[str, str]) -> Sweep:
    return list_sweeps(Path(environment["PRUNECTL_RUNS"]))[0]


def test_the_exit_code_says_that_some_cells_failed(told: Any) -> None:
    assert told.returncode == 3, told.stderr
    assert "error: 5 of 6 cells failed" in told.stderr
    assert "--retry-failed" in told.stderr.splitlines()[-1]
    assert "Traceback" not in told.stderr


def test_every_cell_says_what_happened_to_it(call: Call, sweep: Sweep, told: Any) -> None:
    plain = json.loads(call("show", sweep.id, "--json").stdout)
    by_how = {cell["settings"]["prune.how"]: cell for cell in plain["cells"]}
    assert {how: (c["status"], c["reason"]) for how, c in by_how.items()} == {
        "fine": ("finished", None), "raise": ("failed", "failed"), "exit": ("failed", "crashed"),
        "segfault": ("failed", "crashed"), "kill": ("failed", "killed"),
        "hang": ("failed", "timeout"),
    }  # fmt: skip
    assert "ValueError: planted" in by_how["raise"]["what"]
    assert "ended with code 7" in by_how["exit"]["what"]
    assert "SIGSEGV" in by_how["segfault"]["what"]
    assert "SIGKILL, 3 times" in by_how["kill"]["what"]
    assert "longer than the 6 s" in by_how["hang"]["what"]
    for run in sweep.ended_cells():
        state, summary = run.state(), run.summary()
        assert summary is not None and summary["status"] == state.status


def test_no_process_is_left(sweep: Sweep) -> None:
    leader = sweep.state().pid
    assert leader is not None
    wait_until(lambda: not sweeping.session_of(leader), 30)


def test_another_attempt_changes_nothing_but_the_failed_cells(
    call: Call, sweep: Sweep, mended: Path
) -> None:
    fine = next(r for r in sweep.ended_cells() if r.id.endswith("fine"))
    before, changed = outcome(fine), fine.journal.stat().st_mtime_ns
    refused = call("resume", sweep.id)
    assert refused.returncode == 3
    assert "nothing to do" in refused.stderr and "--retry-failed" in refused.stderr
    mended.touch()
    told = call("resume", sweep.id, "--retry-failed")
    assert told.returncode == 0, told.stderr
    assert fine.journal.stat().st_mtime_ns == changed
    assert sweep.state().status == "finished"
    for run in sweep.ended_cells():  # the settings differ in words only, so do the results
        found = outcome(run)
        assert run.state().status == "finished"
        assert (
            found["kept/s0-knn-faulty_policy-r0.5000.npy"]
            == before["kept/s0-knn-faulty_policy-r0.5000.npy"]
        )
        assert same({**found["journal"]["metrics"]}, {**before["journal"]["metrics"]})
