"""One run on its way to a real SQLite store: complete, exactly once, whatever is interrupted."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.tracking import Story, shown, wanted
from mlflow.tracking import MlflowClient

from core import events as ev
from core.files import read_json
from core.runs import Run
from core.sinks import target
from core.sinks.cursor import Cursor
from core.sinks.mlflow import MlflowServer
from core.sinks.server import Unreachable
from core.sinks.shipping import RunShipper


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One runs folder, so that its store is made once."""
    return tmp_path_factory.mktemp("runs")


def address(runs: Path) -> str:
    return f"sqlite:///{target.database(runs)}"


def open_shipper(run: Run) -> RunShipper:
    where = target.target_of(run)
    assert where is not None
    return RunShipper(run, where)


def ship(run: Run) -> RunShipper:
    shipper = open_shipper(run)
    shipper.look()
    shipper.ship(MlflowServer)
    return shipper


class Killed(BaseException):
    """Stands for kill -9: nothing of the shipper's own can catch it."""


class DyingServer(MlflowServer):
    """The real store, whose user dies now and then just before or just after a request."""

    def __init__(self, uri: str, draw: random.Random, often: float) -> None:
        super().__init__(uri)
        self._draw, self._often = draw, often

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found):
            return found

        def request(*args: Any) -> Any:
            fate = self._draw.random()
            if fate < self._often / 2:
                raise Killed
            answer = found(*args)
            if fate < self._often:
                raise Killed
            return answer

        return request


def test_all_of_a_run_arrives(runs: Path) -> None:
    run = Story(runs).whole()
    shipper = ship(run)
    assert shown(address(runs), run) == wanted(run)
    assert shipper.settled
    assert target.sending(run).complete


def test_the_summary_and_the_run_folder_know_the_mlflow_run(runs: Path) -> None:
    run = Story(runs).whole()
    ship(run)
    summary, block = run.summary(), target.block(run)
    assert summary is not None
    assert block is not None
    assert summary["mlflow"] == block
    parent = MlflowClient(address(runs)).get_run(block["run_id"])
    assert parent.data.tags["run"] == run.id
    assert parent.info.experiment_id == block["experiment_id"]
    assert block["tracking_uri"] == address(runs)


def test_children_point_to_the_parent_and_carry_their_data(runs: Path) -> None:
    run = Story(runs).whole()
    ship(run)
    client, nodes = MlflowClient(address(runs)), Cursor.load(run.path / "mlflow.json").nodes
    child = client.get_run(nodes["s0-knn-top_k-r0.5000"].run_id)
    assert child.data.tags["mlflow.parentRunId"] == nodes["run"].run_id
    found = {i.dataset.name: i for i in child.inputs.dataset_inputs}
    assert set(found) == {"digits", "digits-kept"}
    context = {t.key: t.value for t in found["digits-kept"].tags}
    assert context["mlflow.data.context"] == "kept"
    kept = client.list_artifacts(child.info.run_id, "kept")
    assert [a.path for a in kept] == ["kept/s0-knn-top_k-r0.5000.npy"]
    files = {a.path for a in client.list_artifacts(nodes["run"].run_id)}
    assert files == {"spec.yaml", "summary.json", "tradeoff.png"}


def test_a_report_made_later_is_sent_too(runs: Path) -> None:
    run = Story(runs).whole()
    ship(run)
    (run.path / "report.html").write_text("<p>late</p>")
    assert not open_shipper(run).settled
    assert ship(run).settled
    parent = Cursor.load(run.path / "mlflow.json").nodes["run"].run_id
    files = {a.path for a in MlflowClient(address(runs)).list_artifacts(parent)}
    assert "report.html" in files
    (run.path / "report.html").write_text("<p>made again</p>")
    assert ship(run).settled
    stored = next(target.folder(runs).rglob(f"{parent}/artifacts/report.html"))
    assert stored.read_text() == "<p>made again</p>"


def test_models_are_sent_when_the_run_was_asked_to_keep_them(runs: Path) -> None:
    story = Story(runs)
    (story.run.path / "models").mkdir()
    (story.run.path / "models" / "s0-scoring.pt").write_bytes(b"weights")
    run = story.whole()
    ship(run)
    parent = Cursor.load(run.path / "mlflow.json").nodes["run"].run_id
    models = MlflowClient(address(runs)).list_artifacts(parent, "models")
    assert [a.path for a in models] == ["models/s0-scoring.pt"]


def test_sending_again_sends_nothing(runs: Path) -> None:
    run = Story(runs).whole()
    ship(run)
    before = shown(address(runs), run)
    shipper = open_shipper(run)
    shipper.look()
    assert shipper.settled
    assert shipper.ship(MlflowServer) == 0
    assert shown(address(runs), run) == before


def test_a_running_run_is_sent_as_it_goes_and_stays_open(runs: Path) -> None:
    story = Story(runs)
    story.begin()
    story.do(story.task("score"))
    story.train(story.task("retrain-s0-full"), 1, 7)
    shipper = ship(story.run)
    found = shown(address(runs), story.run)
    assert found["run"]["status"] == "RUNNING"
    assert found["score-s0"]["status"] == "FINISHED"
    full = found["s0-full-none-r0.0000"]
    assert [step for step, _ in full["points"]["train/loss"]] == [1, 2]
    assert shipper.settled
    story.die()
    ship(story.run)
    assert shown(address(runs), story.run)["run"]["status"] == "FAILED"


def test_a_resumed_run_continues_its_mlflow_run_with_only_what_is_new(runs: Path) -> None:
    story = Story(runs)
    task = story.task("retrain-s0-full")
    story.begin()
    story.train(task, 1, 8)
    ship(story.run)
    story.die()
    ship(story.run)
    first = Cursor.load(story.run.path / "mlflow.json").nodes["run"].run_id
    story.begin()
    story.say(ev.Resumed(task.id, 4))
    story.train(task, 5)
    story.finish(task)
    ship(story.run)
    story.end("stopped", "stopped")
    ship(story.run)
    assert Cursor.load(story.run.path / "mlflow.json").nodes["run"].run_id == first
    found = shown(address(runs), story.run)
    assert found == wanted(story.run)
    assert [s for s, _ in found[task.id.removeprefix("retrain-")]["points"]["train/loss"]] == [
        1, 2, 3, 4,
    ]  # fmt: skip
    assert found["run"]["status"] == "KILLED"


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_moments_nothing_is_lost_or_doubled(runs: Path, seed: int) -> None:
    draw = random.Random(seed)
    story = Story(runs, baselines=["full"])
    deaths = 0

    def connect(often: float) -> Callable[[str], DyingServer]:
        return lambda uri: DyingServer(uri, draw, often)

    def attempt(often: float) -> bool:
        shipper = open_shipper(story.run)  # nothing but the disk is left of the one before
        shipper.look()
        try:
            shipper.ship(connect(often))
        except Killed:
            return False
        return shipper.settled

    for _ in chapters(story):
        for _ in range(6):
            deaths += not attempt(0.25)
    while not attempt(0.05):
        deaths += 1
        assert deaths < 200
    assert deaths > 3
    assert shown(address(runs), story.run) == wanted(story.run)


def chapters(story: Story) -> Any:
    """A run that is killed once and resumed, in pieces."""
    story.begin()
    for task in story.tasks[:-1]:
        story.do(task)
    yield
    last = story.tasks[-1]
    story.train(last, 1, 8)
    yield
    story.die()
    yield
    story.begin()
    story.say(ev.Resumed(last.id, 4))
    story.train(last, 5)
    yield
    story.finish(last)
    story.end()
    yield


def test_a_run_deleted_in_mlflow_stays_deleted_and_is_said(runs: Path) -> None:
    story = Story(runs)
    story.begin()
    story.do(story.task("score"))
    ship(story.run)
    child = Cursor.load(story.run.path / "mlflow.json").nodes["score-s0"].run_id
    MlflowClient(address(runs)).delete_run(child)
    story.say(ev.Extrapolated(0, "el2n", "knn", {"k": 5}, 0.5, True))
    story.end("stopped", "stopped")
    assert ship(story.run).settled
    assert "deleted" in str(target.sending(story.run).problem)
    assert "score-s0" not in shown(address(runs), story.run)
    assert shown(address(runs), story.run)["run"]["status"] == "KILLED"


def test_a_deleted_experiment_is_a_problem_that_can_be_mended(runs: Path) -> None:
    story = Story(runs)
    where = target.Target(None, "gone")
    client = MlflowClient(address(runs))
    made = client.create_experiment("gone", (target.folder(runs) / "gone").as_uri())
    client.delete_experiment(made)
    run = story.whole()
    shipper = RunShipper(run, where)
    shipper.look()
    with pytest.raises(Unreachable, match="restore"):
        shipper.ship(MlflowServer)
    client.restore_experiment(made)
    shipper.ship(MlflowServer)
    assert shipper.settled


def test_a_failure_is_noted_for_the_front_ends(runs: Path) -> None:
    run = Story(runs).whole()
    open_shipper(run).failed("no answer")
    how = target.sending(run)
    assert (how.tracked, how.complete, how.problem) == (True, False, "no answer")
    ship(run)
    assert read_json(run.path / "mlflow.json")["problem"] is None


def test_the_cursor_of_a_newer_version_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.json"
    file.write_text('{"schema": 99}')
    with pytest.raises(Exception, match="newer version"):
        Cursor.load(file)
