"""``sweep`` and what other commands do with a sweep, through the command line."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_samples import SPEC
from typer.testing import CliRunner

from core import events as ev
from core.errors import UserError
from core.facts import DataFacts
from core.journal import Journal
from core.locks import hostname, process_start
from core.planning import data_key, plan_cells
from core.runs import State, create_run
from core.spec_load import parse_spec
from core.sweep_spec import parse_sweep
from core.sweeps import Sweep, create_sweep, list_sweeps
from prunectl.cli import sweep_dryrun
from prunectl.cli.main import app
from prunectl.sweep import predict

AXES = {"extrapolate.k": [5, 10], "prune.policy": ["top_k", "random"]}
Invoke = Callable[..., Any]


@pytest.fixture
def invoke(runs: Path) -> Invoke:
    """Run a command on this test's runs folder."""

    def call(*arguments: str, **more: Any) -> Any:
        return CliRunner().invoke(app, [*arguments, "--runs-dir", str(runs)], **more)

    return call


@pytest.fixture
def sweep(runs: Path) -> Sweep:
    """A sweep that was killed: one cell finished, one failed, one task of the others at work."""
    spec = parse_sweep({**SPEC, "sweep": {"axes": AXES}})
    made = create_sweep(runs, spec, {})
    ids = [cell.id for cell in spec.cells()]
    journal = Journal(made.journal)
    cells = [{"id": c.id, "settings": dict(c.settings)} for c in spec.cells()]
    slots = [{"device": "cpu", "slot": 0, "threads": 1}]
    plan = [
        {"task": "score-s0", "stage": "score", "seed": 0, "trial": None, "needs": [],
         "sample_passes": 100, "cells": ids},
        {"task": "retrain-a", "stage": "retrain", "seed": 0, "trial": "a", "needs": ["score-s0"],
         "sample_passes": 100, "cells": ids[2:]},
    ]  # fmt: skip
    figures = {"rate": 0.5, "test_accuracy": 0.91, "spearman": 0.5, "saving": 0.25}
    for event in (
        ev.SweepStarted(made.id, spec.to_dict(), cells, hostname(), slots, {}), ev.Plan(plan),
        ev.TaskStarted("score-s0", "score", 0), ev.TaskFinished("score-s0", "net-1", False, {}),
        ev.CellFinished(ids[0], "finished", None, "", figures),
        ev.CellFinished(ids[1], "failed", "oom", "cpu ran out of memory"),
        ev.TaskStarted("retrain-a", "retrain", 0, "a"),
    ):  # fmt: skip
        journal.append(event)
    journal.close()
    made.write_state(State("running", None, 2**22 + 1, "gone", hostname(), 0.0))
    return made


def test_show_lists_the_cells_and_what_they_reached(invoke: Invoke, sweep: Sweep) -> None:
    told = invoke("show", sweep.id)
    assert told.exit_code == 0
    assert f"{sweep.id}  stale" in told.stdout
    lines = [line.split() for line in told.stdout.splitlines()]
    assert ["00", "5", "top_k", "finished", "1/1", "91.00", "0.500", "25.0"] in lines
    assert ["01", "5", "random", "failed", "(oom)", "1/1"] in lines
    assert ["02", "10", "top_k", "begun", "1/2"] in lines  # its process is gone
    assert "cpu ran out of memory" in told.stderr
    assert f"prunectl resume {sweep.id}" in told.stderr


def test_show_gives_the_cells_as_json(invoke: Invoke, sweep: Sweep) -> None:
    plain = json.loads(invoke("show", sweep.id[:4], "--json").stdout)
    assert (plain["schema"], plain["sweep"], plain["status"]) == (1, sweep.id, "stale")
    assert plain["axes"] == AXES
    first = plain["cells"][0]
    assert first["id"] == f"{sweep.id}/00-5-top_k" and first["path"] is None
    assert first["settings"] == {"extrapolate.k": 5, "prune.policy": "top_k"}
    assert first["figures"]["saving"] == 0.25
    assert [c["status"] for c in plain["cells"]] == ["finished", "failed", "begun", "begun"]


def test_ls_lists_sweeps_beside_runs(invoke: Invoke, sweep: Sweep, runs: Path) -> None:
    create_run(runs, parse_spec(SPEC))
    plain = json.loads(invoke("ls", "--json").stdout)
    assert [s["id"] for s in plain["sweeps"]] == [sweep.id]
    assert (plain["sweeps"][0]["cells"], plain["sweeps"][0]["ended"]) == (4, 0)
    assert len(plain["runs"]) == 1
    assert "stale, 0 of 4 cells" in invoke("ls").stdout


def test_logs_tell_a_sweep_too(invoke: Invoke, sweep: Sweep) -> None:
    told = invoke("logs", sweep.id)
    assert f"sweep {sweep.id}: 4 cells on cpu/0" in told.stdout
    assert "cell 00-5-top_k finished: 91.00% at rate 0.50" in told.stdout
    assert "cell 01-5-random failed: cpu ran out of memory" in told.stdout


def test_rm_and_restore_take_the_whole_sweep(invoke: Invoke, sweep: Sweep, runs: Path) -> None:
    assert invoke("rm", sweep.id).exit_code == 0
    assert not list_sweeps(runs)
    assert invoke("restore", sweep.id).exit_code == 0
    assert [s.id for s in list_sweeps(runs)] == [sweep.id]


def test_a_live_sweep_is_neither_removed_nor_begun_again(invoke: Invoke, sweep: Sweep) -> None:
    me = State("running", None, os.getpid(), process_start(os.getpid()), hostname(), 0.0)
    sweep.write_state(me)
    assert invoke("rm", sweep.id).exit_code == 2
    told = invoke("stop", sweep.id)
    assert told.exit_code == 0 and "stopping when the tasks that run are done" in told.stderr
    assert (sweep.path / "stop.request").read_text().strip() == "finish"


@pytest.mark.parametrize("command", ["resume", "sweep"])
def test_a_second_command_on_a_live_sweep_follows_and_names_the_process(
    invoke: Invoke, sweep: Sweep, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    me = State("running", None, os.getpid(), process_start(os.getpid()), hostname(), 0.0)
    sweep.write_state(me)
    monkeypatch.setattr("prunectl.cli.sweep.start_supervisor", _refuse_to_start)

    def end() -> None:
        journal = Journal(sweep.journal)
        journal.append(ev.RunFinished("finished"))
        journal.close()
        sweep.write_state(State("finished"))

    ending = threading.Timer(0.5, end)
    ending.start()
    told = invoke(command, sweep.id)
    ending.join()
    assert told.exit_code == 0, told.output
    assert f"is running already, by process {os.getpid()}" in told.stderr
    assert "Ctrl-C detaches, the sweep goes on" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compose"], "no preset is called 'compose'"),
        ([], "nothing to sweep is named"),
        (["quickstart"], "nothing varies"),
        (["quickstart", "--axis", "extrapolat.k=5,10"], "did you mean 'extrapolate'?"),
        (["quickstart-sweep", "--set", "prune.policy=random"], "it is an axis of this sweep"),
        (["quickstart-sweep", "--retry-failed"], "--retry-failed is for a sweep that exists"),
        (["quickstart-sweep", "--cell-timeout", "5"], "a time with its unit"),
        (["quickstart-sweep", "--seeds", "0"], "at least one seed"),
        (["quickstart-sweep", "--preset", "quickstart"], "give one of them"),
        (["quickstart", "--axis", "extrapolate.k=1,2"], ""),
    ],
)
def test_what_cannot_be_a_sweep_is_refused_in_words(
    invoke: Invoke, runs: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    if not said:  # the control: this one would be started
        monkeypatch.setattr("prunectl.cli.sweep.start_supervisor", _refuse_to_start)
        with pytest.raises(AssertionError, match="started"):
            raise invoke("sweep", *arguments, "--yes").exception
        return
    told = invoke("sweep", *arguments, "--yes")
    assert told.exit_code == 2, told.output
    assert said in told.stderr
    assert not runs.exists() or not list(runs.iterdir())


def test_a_million_cells_are_refused_without_a_word_of_consent(invoke: Invoke, runs: Path) -> None:
    many = ",".join(str(k) for k in range(1, 1001))
    told = invoke(
        "sweep", "quickstart", "--axis", f"extrapolate.k={many}", "--axis", f"train.batch={many}"
    )
    assert told.exit_code == 2
    assert "1,000,000 cells" in told.stderr and "--yes" in told.stderr
    assert not runs.exists()


def test_a_known_sweep_cannot_be_changed(invoke: Invoke, sweep: Sweep) -> None:
    told = invoke("sweep", sweep.id, "--axis", "extrapolate.k=5")
    assert told.exit_code == 2
    assert "its cells are fixed" in told.stderr


def test_a_definition_that_was_edited_is_refused_with_the_difference(
    invoke: Invoke, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prunectl.sweep.options import Options
    from prunectl.sweep.supervisor import supervise

    text = sweep.definition.read_text()
    sweep.definition.write_text(text.replace("fraction: 0.2", "fraction: 0.3"))
    monkeypatch.setattr("signal.signal", lambda *_: None)  # this process keeps its own
    assert supervise(sweep.path, Options()) == UserError.exit_code
    last = json.loads(sweep.journal.read_text().splitlines()[-2])
    assert "base.subset.fraction: 0.2 -> 0.3" in last["text"]


def _predicted(hours: float) -> dict[str, Any]:
    return {"device_seconds": hours * 3600, "seconds": hours * 1800, "slots": ["cpu/0", "cpu/1"]}


def test_a_dry_run_of_very_many_cells_prints_a_page(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = {"extrapolate.k": list(range(2, 22)), "retrain.batch": list(range(8, 35))}
    file = tmp_path / "many.yaml"
    file.write_text(yaml.safe_dump({**SPEC, "sweep": {"axes": axes}}))
    monkeypatch.setattr(predict, "ask", lambda job, *_: _planned(job))
    told = invoke("sweep", str(file), "--dry-run", "--jobs", "1")
    assert told.exit_code == 0 and "540 cells" in told.stdout and "and 516 more" in told.stdout
    assert len(told.stdout.splitlines()) < 50 and len(told.stdout) < 5000
    assert "never; true of all cells" in told.stdout
    assert "rarely; true of 000, 001," in told.stdout and "and 492 more" in told.stdout


def _planned(job: dict[str, Any]) -> dict[str, Any]:
    """The answer of a worker that knows all seconds."""
    cells = parse_sweep({**job["sweep"]["base"], "sweep": {"axes": job["sweep"]["axes"]}}).cells()
    plan = plan_cells(cells, {data_key(c.spec): DataFacts(1258, 539, 10) for c in cells[:1]})
    tasks = [{**task, "seconds": 1.0, "sealed": False} for task in plan.to_dicts()]
    ids = [cell.id for cell in cells]
    return {
        "cells": [{"id": c.id, "settings": dict(c.settings)} for c in cells], "tasks": tasks,
        "tasks_alone": plan.asked_for(), "shared": len(plan.shared()), "sealed": 0,
        "device_seconds": 1.0, "device_seconds_alone": 2.0, "longest_path_seconds": 1.0,
        "disk_bytes": 1, "source": "probe", "devices": ["cpu"],
        "cannot_pay": [{"what": "never", "cells": ids}, {"what": "rarely", "cells": ids[:500]}],
    }  # fmt: skip


def test_above_a_day_of_device_time_it_asks(
    invoke: Invoke, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_dryrun, "predict", lambda *_: _predicted(31))
    monkeypatch.setattr("prunectl.cli.sweep.start_supervisor", _refuse_to_start)
    told = invoke("sweep", "quickstart-sweep")
    assert told.exit_code == 2
    assert "31 device hours are predicted" in told.stderr and "--yes" in told.stderr
    assert not runs.exists()
    monkeypatch.setattr(sweep_dryrun, "predict", lambda *_: _predicted(23))
    assert isinstance(invoke("sweep", "quickstart-sweep").exception, AssertionError)


def test_a_cell_is_looked_up_like_a_run(invoke: Invoke, sweep: Sweep, tmp_path: Path) -> None:
    told = invoke("show", f"{sweep.id}/00")
    assert told.exit_code == 2 and "none of its cells has ended yet" in told.stderr
    cell = sweep.cell("00-5-top_k")
    cell.path.mkdir(parents=True)
    cell.spec_file.write_text(yaml.safe_dump(SPEC))
    assert cell.id in invoke("show", f"{sweep.id[:4]}/00").stdout
    for command in (["resume"], ["stop"], ["rm"]):
        told = invoke(*command, f"{sweep.id}/00")
        assert told.exit_code == 2 and "is a cell of a sweep" in told.stderr


def _refuse_to_start(*_: object) -> None:
    raise AssertionError("started")
