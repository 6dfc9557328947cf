"""Data of which a part is labelled: to the kept set, to-label.txt, labels, and on to the end."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from core import events as ev
from core.journal import read
from core.runs import Run, list_runs
from prunectl import open_run
from prunectl.cli.main import app

SPEC = """
name: part
data: {name: arrays, root: part.npz, unlabelled: true}
model: {name: linear}
subset: {how: labelled}
seeds: [0]
train: {epochs: 3ep, batch: 32, optimizer: {lr: 0.1}}
score: {name: el2n, preset: ccs, epoch: 0, span: 2}
extrapolate: {name: knn}
prune: {rates: [0.5]}
baselines: [subset_only]
compute: {device: cpu, threads: 1}
tracking: {enabled: false}
"""


def _invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--runs-dir", "runs"])


def _tasks(run: Run) -> list[tuple[str, bool]]:
    """(task, reused) of the last session's finished tasks."""
    found: list[tuple[str, bool]] = []
    for record in read(run.journal):
        if isinstance(record.event, ev.RunStarted):
            found = []
        elif isinstance(record.event, ev.TaskFinished):
            found.append((record.event.task, record.event.reused))
    return found


def test_choose_label_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = (np.eye(3)[y] + rng.normal(0, 0.4, (300, 3))).astype(np.float32)
    given = np.where(np.arange(200) < 80, y[:200], -1)
    np.savez("part.npz", x_train=x[:200], y_train=given, x_test=x[200:], y_test=y[200:])
    Path("part.yaml").write_text(SPEC)

    told = _invoke("run", "part.yaml")
    assert told.exit_code == 0, told.stderr
    (run,) = list_runs(tmp_path / "runs")
    state = run.state()
    assert (state.shown, state.reason) == ("stopped", "needs_labels")
    assert "waits for labels" in told.stderr and "--labels FILE" in told.stderr
    by_id = {t["id"]: t for t in json.loads(run.summary_file.read_text())["trials"]}
    assert by_id["s0-knn-top_k-r0.5000"]["status"] == "pending"
    assert by_id["s0-subset_only-top_k-r0.6000"]["status"] == "finished"
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "The run is not finished (stopped, needs labels)" in page
    assert open_run(run.id, "runs").wait().state.reason == "needs_labels"

    told = _invoke("export", run.id, "--rate", "0.5", "--out", "kept.csv")
    ids = [int(line) for line in Path("to-label.txt").read_text().splitlines()]
    with open("kept.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert ids == [int(r["id"]) for r in rows if r["label"] == "-1"] and min(ids) >= 80
    assert f"{len(ids)} of them have no label yet" in told.stderr

    wrong = _invoke("resume", run.id, "--labels", "none.csv")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    Path("labels.csv").write_text("id,label\n" + "".join(f"{i},{y[i]}\n" for i in ids))
    told = _invoke("resume", run.id, "--labels", "labels.csv")
    assert told.exit_code == 0, told.stderr
    assert f"{len(ids)} new labels" in told.stderr
    assert run.state().shown == "finished"
    # The one task that reads the new labels is the one that was computed.
    assert [task for task, reused in _tasks(run) if not reused] == ["retrain-s0-knn-top_k-r0.5000"]
    assert len(_tasks(run)) == 8

    late = _invoke("resume", run.id, "--labels", "labels.csv")
    assert late.exit_code == 2 and "is finished: it takes no labels" in late.stderr
