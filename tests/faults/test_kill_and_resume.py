"""kill -9 anywhere, resume, and nothing tells the run from an undisturbed one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faults.harness import (
    Checkpoints,
    Finishes,
    Match,
    Starts,
    events_of,
    make_run,
    outcome,
    same,
    work,
)

from core import events as ev
from core.errors import UserError
from core.files import read_json
from core.runs import Run
from core.spec_load import read_yaml

STAGES = ("subset", "score", "embed", "extrapolate", "reference", "prune", "retrain")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = make_run(tmp_path_factory.mktemp("undisturbed"))
    assert work(run) == 0
    return run


def assert_equal_after(deaths: list[tuple[Match, bool]], run: Run, undisturbed: Run) -> None:
    for die, after in deaths:
        assert work(run, die, after=after) == -9, die
        assert run.state().shown == "stale"
    assert work(run) == 0
    assert run.state().status == "finished"
    assert same(outcome(run), outcome(undisturbed))


def test_killed_at_the_start_of_every_stage(tmp_path: Path, undisturbed: Run) -> None:
    deaths: list[tuple[Match, bool]] = [(Starts(stage), True) for stage in STAGES]
    assert_equal_after(deaths, make_run(tmp_path), undisturbed)


def test_killed_between_the_seal_and_the_word_of_it(tmp_path: Path, undisturbed: Run) -> None:
    deaths: list[tuple[Match, bool]] = [(Finishes(stage), False) for stage in STAGES]
    assert_equal_after(deaths, make_run(tmp_path), undisturbed)


def test_killed_inside_epochs_five_times(tmp_path: Path, undisturbed: Run) -> None:
    draw = random.Random(0)
    deaths: list[tuple[Match, bool]] = [
        (Checkpoints("score", draw.randrange(1, 4)), False),
        (Checkpoints("score", draw.randrange(4, 7)), True),
        (Checkpoints("reference", draw.randrange(1, 40)), True),
        (Checkpoints("retrain", draw.randrange(1, 20)), False),
        (Checkpoints("retrain", draw.randrange(20, 35)), True),
    ]
    run = make_run(tmp_path)
    assert_equal_after(deaths, run, undisturbed)
    resumed = events_of(run, ev.Resumed)
    assert any(event.step > 0 for event in resumed)  # it went on, it did not begin anew


def test_another_seed_gives_another_outcome(tmp_path: Path, undisturbed: Run) -> None:
    run = make_run(tmp_path, seeds=[1])
    assert work(run) == 0
    assert not same(outcome(run), outcome(undisturbed))


def test_a_changed_spec_is_refused_with_the_difference(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert work(run, Starts("score"), after=True) == -9
    text = run.spec_file.read_text()
    run.spec_file.write_text(text.replace("fraction: 0.1", "fraction: 0.2", 1))
    assert read_yaml(run.spec_file)["subset"]["fraction"] == 0.2
    assert work(run) == UserError.exit_code
    said = [e.text for e in events_of(run, ev.Message) if e.level == "error"]
    assert "subset.fraction: 0.1 -> 0.2" in said[-1]
    assert read_json(run.path / "state.json")["reason"] == "bad_input"


def test_another_run_goes_on_from_the_checkpoint_of_a_dead_one(
    tmp_path: Path, undisturbed: Run
) -> None:
    dead = make_run(tmp_path)
    assert work(dead, Checkpoints("score", 4), after=True) == -9
    other = make_run(tmp_path)
    assert work(other) == 0
    assert same(outcome(other), outcome(undisturbed))


def test_a_second_run_reuses_everything_and_tells_the_same(
    tmp_path: Path, undisturbed: Run
) -> None:
    first, second = make_run(tmp_path), make_run(tmp_path)
    assert work(first) == 0
    assert work(second) == 0
    assert all(event.reused for event in events_of(second, ev.TaskFinished))
    assert same(outcome(second), outcome(first))
