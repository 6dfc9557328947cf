"""Signals, queues, divergence, full disks, broken seals: what a run says and what it keeps."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from faults.harness import (
    SPEC,
    Checkpoints,
    Starts,
    events_of,
    finish,
    make_run,
    outcome,
    same,
    start,
    wait_until,
    work,
)

from core import events as ev
from core.files import read_json
from core.runs import request_stop, store_folder


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_gracefully_and_resume_goes_on(
    tmp_path: Path, number: int, code: int
) -> None:
    run, go = make_run(tmp_path), tmp_path / "go"
    child = start(run, hold=(Checkpoints("score", 3), go))
    wait_until(lambda: events_of(run, ev.Checkpoint))
    assert child.pid is not None
    os.kill(child.pid, number)
    go.touch()
    assert finish(child) == code
    assert run.state().status == "stopped"
    assert events_of(run, ev.RunFinished)[-1].status == "stopped"
    summary = run.summary()
    assert summary is not None
    assert summary["status"] == "stopped"
    assert work(run) == 0
    other = make_run(tmp_path / "other")
    assert work(other) == 0
    assert same(outcome(run), outcome(other))


def test_hangup_is_ignored(tmp_path: Path) -> None:
    run, go = make_run(tmp_path), tmp_path / "go"
    child = start(run, hold=(Starts("score"), go))
    wait_until(lambda: any(e.stage == "score" for e in events_of(run, ev.TaskStarted)))
    assert child.pid is not None
    os.kill(child.pid, signal.SIGHUP)
    go.touch()
    assert finish(child) == 0


def test_a_request_file_stops_a_worker_that_no_signal_reaches(tmp_path: Path) -> None:
    run, go = make_run(tmp_path), tmp_path / "go"
    child = start(run, hold=(Starts("reference"), go))
    wait_until(lambda: any(e.stage == "reference" for e in events_of(run, ev.TaskStarted)))
    run_elsewhere = run.state()
    run.write_state(type(run_elsewhere)(status="running", pid=1, host="another-host"))
    assert "asked another-host to stop" in request_stop(run)
    assert finish(child) == 130
    assert run.state().status == "stopped"


def test_the_second_of_two_runs_is_queued_behind_the_first(tmp_path: Path) -> None:
    first, second, go = make_run(tmp_path), make_run(tmp_path, seeds=[1]), tmp_path / "go"
    one = start(first, hold=(Starts("score"), go))
    wait_until(lambda: any(e.stage == "score" for e in events_of(first, ev.TaskStarted)))
    other = start(second)
    wait_until(lambda: second.state().behind)
    state = second.state()
    assert (state.status, state.behind) == ("queued", first.id)
    assert not events_of(second, ev.TaskStarted)
    go.touch()
    assert finish(one) == 0
    assert finish(other) == 0
    assert second.state().status == "finished"


def test_a_second_worker_on_the_same_run_is_refused(tmp_path: Path) -> None:
    run, go = make_run(tmp_path), tmp_path / "go"
    child = start(run, hold=(Starts("score"), go))
    wait_until(lambda: any(e.stage == "score" for e in events_of(run, ev.TaskStarted)))
    assert work(run) == 2
    go.touch()
    assert finish(child) == 0


def test_divergence_fails_the_run_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    train = {**SPEC["train"], "epochs": "20ep", "optimizer": {"name": "sgd", "lr": 1e20}}
    run = make_run(tmp_path, train=train)
    assert work(run) == 1
    state, summary = run.state(), run.summary()
    assert (state.status, state.reason) == ("failed", "diverged")
    assert summary is not None
    assert (summary["status"], summary["reason"]) == ("failed", "diverged")
    failed = events_of(run, ev.TaskFailed)[-1]
    assert failed.kind == "diverged"
    assert failed.task == "score-s0"
    assert "of 40" in failed.what  # the training of 20 epochs itself, no trial step before it
    assert "lower optimizer.lr" in failed.todo


def _no_memory() -> None:
    from core.paradigms import supervised

    def step(*_: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    supervised.Supervised.step = step  # type: ignore[assignment,method-assign]  # put in its place


def test_out_of_memory_names_a_batch_to_try(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert work(run, first=_no_memory) == 1
    assert run.state().reason == "oom"
    assert "train.batch=32" in events_of(run, ev.TaskFailed)[-1].todo


def _small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (48_000, 48_000))


def test_a_full_disk_is_said_and_resume_works(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert work(run, first=_small_files_only) == 4
    state = run.state()
    assert (state.status, state.reason) == ("failed", "disk_full")
    assert work(run) == 0
    other = make_run(tmp_path / "other")
    assert work(other) == 0
    assert same(outcome(run), outcome(other))


def test_a_broken_seal_is_made_again_with_a_warning(tmp_path: Path) -> None:
    first = make_run(tmp_path)
    assert work(first) == 0
    broken = min(store_folder(tmp_path).glob("net-*/weights.pt"))
    data = bytearray(broken.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    second = make_run(tmp_path)
    assert work(second) == 0
    said = [e.text for e in events_of(second, ev.Message) if e.level == "warning"]
    assert any(broken.parent.name in text and "checksum" in text for text in said)
    assert same(outcome(second), outcome(first))


def test_a_score_asked_for_later_seals_only_itself(tmp_path: Path) -> None:
    train = {**SPEC["train"], "epochs": "10ep"}  # el2n's first preset looks at the tenth
    first = make_run(tmp_path, train=train)
    assert work(first) == 0
    before = {p.name for p in store_folder(tmp_path).iterdir()}
    settings = {**SPEC["score"], "also": ["el2n"]}
    second = make_run(tmp_path, score=settings, train=train)
    code = work(second)
    after = {p.name for p in store_folder(tmp_path).iterdir()}
    assert code == 0, events_of(second, ev.Message)
    assert not {n for n in after - before if n.startswith(("net-", "retrain-"))}
    assert {n for n in after - before if n.startswith("score-")}
    warned = [e.text for e in events_of(second, ev.Message) if e.level == "warning"]
    assert not warned  # the repeated training gave the sealed weights again
    assert read_json(second.path / "summary.json")["extrapolation"][1]["score"] == "el2n"
