"""A prediction is made before its tasks run, of what earlier work took, and stays with the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core import work as worker
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.estimate import forecast
from core.plan.build import build_graph
from core.predicted import Predicted, of_estimate, read_predicted, write_predicted
from core.runs import Run, create_run
from core.spec import Spec
from core.stages.base import Context
from core.stages.train_task import rate_key
from core.store import Store
from core.summary import Summary
from core.training import devices
from core.work import facts_of

Make = Callable[..., Spec]


@pytest.fixture
def ctx(tmp_path: Path, make_spec: Make) -> Context:
    """A run that has not begun, in an empty store."""
    spec = make_spec(baselines=["random", "full"])
    dataset = prepare_dataset(spec.data, default_cache_root())
    graph = build_graph([(spec, facts_of(dataset))])
    store = Store(tmp_path / "store")
    return Context(
        graph, dataset, store, devices.resolve(spec.compute), lambda _: None, lambda: False
    )


def seal(ctx: Context, name: str, seconds: float, passes: int, rate: str) -> None:
    """What an earlier run left of a stage, as far as predictions read it."""
    folder = ctx.store.root / name
    folder.mkdir(parents=True)
    about = {"cost": {"seconds": seconds, "sample_passes": passes}, "meta": {"rate": rate}}
    (folder / "sealed.json").write_text(json.dumps(about))


def test_seconds_are_passes_times_the_medians_of_earlier_seals(ctx: Context) -> None:
    rate = rate_key(ctx.graph.tasks[0], ctx)
    for number, seconds in enumerate((2.0, 4.0, 9.0)):  # a pass with its backward half: 0.04 s
        seal(ctx, f"retrain-{number}", seconds, 100, rate)
    seal(ctx, "retrain-other", 1e6, 100, "of another model")
    assert forecast(ctx, ()) is None  # what a forward pass takes is not known
    seal(ctx, "embed-0", 1.0, 100, rate)
    found = forecast(ctx, ())
    assert found is not None
    assert (found.source, found.device) == ("seals", "cpu")
    by_hand = {}
    for task in ctx.graph.tasks:
        backward = task.passes - task.extra_passes if task.stage != "embed" else 0
        by_hand[task.id] = 0.04 * backward + 0.01 * (task.passes - backward)
    assert found.tasks == pytest.approx(by_hand)
    n, epochs = len(ctx.dataset.train), 3
    assert found.full_seconds == pytest.approx(0.04 * epochs * n)


def test_tasks_that_had_begun_are_left_out(ctx: Context) -> None:
    rate = rate_key(ctx.graph.tasks[0], ctx)
    seal(ctx, "retrain-0", 4.0, 100, rate)
    seal(ctx, "embed-0", 1.0, 100, rate)
    begun = {ctx.graph.tasks[0].id, ctx.graph.tasks[1].id}
    found = forecast(ctx, begun)
    assert found is not None
    assert found.source == "own"
    assert set(found.tasks) == {t.id for t in ctx.graph.tasks} - begun


def test_a_worker_predicts_once_it_can_and_never_again(ctx: Context, make_spec: Make) -> None:
    """The first run of a folder after its first retraining, the next one before it begins."""
    runs = ctx.store.root.parent
    first = _work(runs, ctx, make_spec())
    second = _work(runs, ctx, make_spec(seeds=[1]))
    own, seals = read_predicted(first), read_predicted(second)
    assert own is not None and seals is not None
    assert (own.source, seals.source) == ("own", "seals")
    stages = (first.summary() or {})["cost"]["stages"]
    begun = [row["task"] for row in stages if row["task"] not in own.tasks]
    assert begun == [row["task"] for row in stages[: len(begun)]]
    assert begun[-1].startswith("retrain-")
    assert len(seals.tasks) == len(stages)
    assert min(v for t, v in seals.tasks.items() if t.startswith("retrain-")) > 0
    kept = second.predicted_file.read_bytes()
    _work(runs, ctx, make_spec(seeds=[1]), second)
    assert second.predicted_file.read_bytes() == kept


def _work(runs: Path, like: Context, spec: Spec, run: Run | None = None) -> Run:
    """What a worker does once it has its device, in this process."""
    run = run or create_run(runs, spec)
    graph = build_graph([(spec, facts_of(like.dataset))])
    ctx = Context(
        graph, like.dataset, Store(like.store.root), like.compute, lambda _: None, lambda: False
    )
    worker._run(ctx, Summary(ctx, run, {}), fresh=False)
    return run


def test_an_estimate_is_kept_as_what_was_predicted(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert read_predicted(run) is None
    write_predicted(run, of_estimate({
        "tasks": [{"task": "score-s0", "seconds": 3.0, "stage": "score"}], "source": "probe",
        "device": "cpu", "full_seconds": 9.0, "break_even_rate": None, "disk_bytes": 5,
    }))  # fmt: skip
    found = read_predicted(run)
    assert found == Predicted("probe", "cpu", {"score-s0": 3.0}, 9.0, None)
    assert found.about == "from a short probe on this device"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "source": "own", '
             '"device": "cpu", "tasks": {"a": "b"}}'],
)  # fmt: skip
def test_what_cannot_be_read_predicts_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "predicted.json").write_text(text)
    assert read_predicted(Run(tmp_path)) is None
