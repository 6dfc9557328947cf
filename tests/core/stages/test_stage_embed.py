"""Embeddings from a file or another model: what is sealed, what it costs, what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from play import Player, Story

from core import events as ev
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.errors import UserError
from core.estimate import disk_bytes, estimate
from core.facts import DataFacts
from core.models.build import build_net
from core.plan.build import build_graph
from core.spec import DataSpec, ModelSpec, Spec
from core.spec_load import SpecError, parse_spec
from core.stages.base import Context
from core.store import Store
from core.training import devices
from core.training.evaluate import embed
from core.training.feed import Feed
from core.work import facts_of

MakeSpec = Callable[..., Spec]
DATA = {"name": "procedural", "n": 150, "size": 8, "classes": 3, "n_test": 30}
QUICK: dict[str, Any] = {
    "data": DATA, "subset": {"fraction": 0.4}, "prune": {"rates": [0.5]}, "baselines": ["full"],
    "retrain": {"epochs": "1ep"},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def rows() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Embeddings of the 150 samples."""
    return np.random.default_rng(0).standard_normal((150, 7))


@pytest.fixture(scope="module")
def told(
    make_spec: MakeSpec, rows: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Story, Path]:
    """A run of two seeds on a file, and the file."""
    folder = tmp_path_factory.mktemp("embed")
    np.save(folder / "e.npy", rows)
    spec = make_spec(**QUICK, seeds=[0, 1], embed={"from": str(folder / "e.npy")})
    return Player(folder).play(spec), folder / "e.npy"


def _row(story: Story, task: str) -> dict[str, Any]:
    return next(r for r in story.summary["cost"]["stages"] if r["task"] == task)


def _sealed(story: Story) -> Any:
    (key,) = {e.key for e in story.events if isinstance(e, ev.TaskFinished) and "embed" in e.task}
    return np.load(story.store.path(key) / "embeddings.npy")


def test_the_files_rows_are_the_embeddings(told: tuple[Story, Path], rows: Any) -> None:
    found = _sealed(told[0])
    assert found.dtype == np.float32
    assert np.array_equal(found, rows.astype(np.float32))


def test_a_file_costs_no_passes_and_the_journal_says_what_is_left_out(
    told: tuple[Story, Path],
) -> None:
    story, file = told
    assert _row(story, "embed-s0")["sample_passes"] == 0
    (said,) = [e.text for e in story.events if isinstance(e, ev.Message)]
    assert said == f"embed-s0: read from {file}; what making them cost is not in the ledger"
    assert _row(story, "embed-s1")["reused"]  # one file serves all seeds


def test_a_file_is_looked_at_before_anything_is_trained(told: tuple[Story, Path]) -> None:
    started = [e.task for e in told[0].events if isinstance(e, ev.TaskStarted)]
    assert started.index("embed-s0") < started.index("score-s0")
    assert told[0].graph["embed-s0"].needs == ()
    assert "embed-s0" in told[0].graph["extrapolate-s0"].needs


def test_the_bytes_are_in_the_key_and_the_place_is_not(
    told: tuple[Story, Path], make_spec: MakeSpec, rows: Any
) -> None:
    story, file = told
    (file.parent / "moved").mkdir()
    moved = file.parent / "moved" / "other name.npy"
    shutil.copy(file, moved)
    first = Player(file.parent).play(make_spec(**QUICK, embed={"from": str(moved)}), tasks=2)
    assert [e.reused for e in first.events if isinstance(e, ev.TaskFinished)] == [True, True]
    np.save(moved, rows + 1)
    again = Player(file.parent).play(make_spec(**QUICK, embed={"from": str(moved)}), tasks=2)
    reused = {e.task: e.reused for e in again.events if isinstance(e, ev.TaskFinished)}
    assert reused == {"subset-s0": True, "embed-s0": False}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_ids_say_which_sample_a_row_belongs_to(
    make_spec: MakeSpec, rows: Any, tmp_path: Path, save: Any
) -> None:
    ids = np.random.default_rng(1).permutation(150)
    save(tmp_path / "e.npz", embeddings=rows[ids].astype(np.float16), ids=ids)
    spec = make_spec(**QUICK, embed={"from": str(tmp_path / "e.npz")})
    found = _sealed(Player(tmp_path).play(spec, tasks=2))
    assert np.array_equal(found, rows.astype(np.float16).astype(np.float32))


def _nan(rows: Any) -> Any:
    spoilt = rows.copy()
    spoilt[[3, 7], 2] = np.nan, np.inf
    return spoilt


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("e.npy", lambda r: r[:149], r"e.npy has 149 rows for 150 training samples; give one"),
        ("e.npy", lambda r: r[:, 0], r"e.npy holds float64 \[150\]; embeddings are \[N, d\]"),
        ("e.npy", lambda r: r.astype(str), r"e.npy holds <U32 \[150, 7\]"),
        ("e.npy", _nan, "e.npy holds NaN or infinity in 2 rows: samples 3, 7"),
        ("e.npy", lambda r: r * 1e300, "holds NaN or infinity in 150 rows"),
        ("e.npy", lambda r: np.array([None] * 150), "no readable .npy file of numbers"),
        ("e.npz", lambda r: {"e": r}, r"lacks embeddings \(it holds e\)"),
        ("e.npz", lambda r: {"embeddings": r, "ids": np.arange(150) + 1}, "reaches from 1 to 150"),
        ("e.npz", lambda r: {"embeddings": r, "ids": np.arange(150) // 2}, "lacks 75 samples"),
        ("e.npz", lambda r: {"embeddings": r, "ids": np.arange(99)}, r"ids in .* is int64 \[99\]"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    make_spec: MakeSpec, rows: Any, tmp_path: Path, name: str, make: Any, said: str
) -> None:
    made = make(rows)
    if name == "e.npy":
        np.save(tmp_path / name, made)
    else:
        np.savez(tmp_path / name, **made)
    spec = make_spec(**QUICK, embed={"from": str(tmp_path / name)})
    with pytest.raises(UserError, match=said) as caught:
        Player(tmp_path).play(spec)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "store").glob("embed-*"))
    assert not list((tmp_path / "store").glob("net-*"))  # nothing was trained before


@pytest.mark.parametrize("name", ["e.npy", "e.npz"])
def test_files_that_are_none_are_named(make_spec: MakeSpec, tmp_path: Path, name: str) -> None:
    spec = make_spec(**QUICK, embed={"from": str(tmp_path / name)})
    with pytest.raises(UserError, match=f"there is no file {tmp_path / name}"):
        Player(tmp_path / "runs").play(spec)
    (tmp_path / name).write_bytes(b"rubbish")
    with pytest.raises(UserError, match="no(t a)? readable"):
        Player(tmp_path / "runs").play(spec)


@pytest.fixture
def model(tmp_path: Path) -> dict[str, Any]:
    """The section of a small net with weights on disk."""
    bank = prepare_dataset(DataSpec.model_validate(DATA), default_cache_root()).train
    net = build_net(ModelSpec.model_validate({"name": "convnet", "width": 4}), bank, 5, "scoring")
    torch.save(net.state_dict(), tmp_path / "w.pt")
    return {"name": "convnet", "width": 4, "weights": str(tmp_path / "w.pt")}


def test_another_model_embeds_and_its_passes_are_counted(
    make_spec: MakeSpec, model: dict[str, Any], tmp_path: Path
) -> None:
    spec = make_spec(**QUICK, embed={"from": model})
    story = Player(tmp_path).play(spec)
    row = _row(story, "embed-s0")
    assert row["sample_passes"] == 150 and row["flops"] > 0
    bank = story.dataset.train
    net = build_net(ModelSpec.model_validate(model), bank, 9, "analysis")
    expected = embed(net, Feed(bank, devices.resolve(spec.compute)))
    np.testing.assert_allclose(_sealed(story), expected, rtol=1e-5, atol=1e-6)
    by_rate = {r["method"]: r for r in story.summary["cost"]["by_rate"]}
    # 3 epochs on 60 samples to score, 150 to embed, 75 to retrain; full: one epoch on 150
    assert by_rate["knn"]["saving_passes"] == pytest.approx(1 - (180 + 150 + 75) / 150)


def test_a_score_of_embeddings_alone_trains_no_scoring_net(
    make_spec: MakeSpec, plain_spec: Callable[..., dict[str, Any]], rows: Any, tmp_path: Path
) -> None:
    np.save(tmp_path / "e.npy", rows)
    plain = plain_spec(**QUICK, embed={"from": str(tmp_path / "e.npy")})
    story = Player(tmp_path).play(parse_spec({**plain, "score": {"name": "prototypicality"}}))
    assert story.summary["status"] == "finished"
    stages = [row["stage"] for row in story.summary["cost"]["stages"]]
    assert "embed" in stages and "measure" in stages and "score" not in stages
    assert not list((tmp_path / "store").glob("net-*"))


def _context(spec: Spec, runs: Path) -> Context:
    dataset = prepare_dataset(spec.data, default_cache_root())
    graph = build_graph([(spec, facts_of(dataset))])
    compute = devices.resolve(spec.compute)
    return Context(graph, dataset, Store(runs), compute, lambda _: None, lambda: False)


def test_a_dry_run_knows_the_source(
    make_spec: MakeSpec, model: dict[str, Any], rows: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("core.estimate.PROBE_SECONDS", 0.05)
    np.save(tmp_path / "e.npy", rows)
    found = {}
    for name, source in (("file", str(tmp_path / "e.npy")), ("model", model)):
        ctx = _context(make_spec(**QUICK, embed={"from": source}), tmp_path / "store")
        told = estimate(ctx)
        found[name] = next(t for t in told["tasks"] if t["task"] == "embed-s0")
        width = {"file": 7, "model": 16}[name]
        own = _context(make_spec(**QUICK), tmp_path / "store")  # linear: 3 x 8 x 8 features
        assert disk_bytes(own) - disk_bytes(ctx) == 4 * 150 * (192 - width)
    assert (found["file"]["sample_passes"], found["file"]["seconds"]) == (0, 0)
    assert found["model"]["sample_passes"] == 150 and found["model"]["seconds"] > 0
    np.save(tmp_path / "e.npy", rows[:5])
    bad = _context(make_spec(**QUICK, embed={"from": str(tmp_path / "e.npy")}), tmp_path / "store")
    with pytest.raises(UserError, match="5 rows for 150 training samples"):
        estimate(bad)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("scoring_ned", "'scoring_ned' is no .npy or .npz file and no model; did you mean 'scor"),
        ("resnet18", "embed.from: resnet18 is untrained; set embed.from.weights to a local file"),
        ({"name": "resnet19"}, "embed.from.name: no model is called 'resnet19'"),
        ({"name": "convnet", "wdth": 3}, "embed.from.wdth: no such key; did you mean 'width'"),
        ({"name": "convnet", "weights": 3}, "embed.from.weights: input is not a valid path"),
        ({"width": 3}, "embed.from: give scoring_net, a .npy or .npz file, or"),
        (7, "embed.from: give scoring_net, a .npy or .npz file, or"),
    ],
)
def test_what_cannot_be_a_source_is_one_line(make_spec: MakeSpec, source: Any, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(embed={"from": source})
    assert len(caught.value.problems) == 1 and said in caught.value.problems[0]


def test_a_spec_with_a_source_is_read_back_as_it_was(make_spec: MakeSpec) -> None:
    for source in ("e.npy", {"name": "torchvision", "arch": "resnet50", "weights": "r.pth"}):
        spec = make_spec(embed={"from": source})
        assert parse_spec(spec.to_dict()) == spec
    assert spec.embed.model is not None and spec.embed.model.params == {"arch": "resnet50"}


def test_cells_that_differ_in_the_source_share_their_scoring(make_spec: MakeSpec) -> None:
    facts = DataFacts(1258, 539, 10, "f")
    graph = build_graph([(make_spec(), facts), (make_spec(embed={"from": "e.npy"}), facts)])
    assert [t.stage for t in graph.tasks].count("score") == 1
    assert [t.stage for t in graph.tasks].count("embed") == 2
