"""Runs with scores that need no extrapolation: which tasks, what they cost, what is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from play import Player
from pydantic import TypeAdapter

from core import events as ev
from core.artifacts import read_kept
from core.facts import DataFacts
from core.plan.build import build_graph
from core.schemas.summary import SummaryDocument
from core.spec import Spec
from core.spec_load import SpecError, parse_spec

Plain = Callable[..., dict[str, Any]]
FACTS = DataFacts(1258, 539, 10, "f")


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("measure") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def spec_of(plain_spec: Plain, score: dict[str, Any], **over: Any) -> Spec:
    return parse_spec({**plain_spec(retrain={"epochs": "1ep"}, **over), "score": score})


def test_an_embedded_score_is_kept_by_and_nothing_is_extrapolated(
    player: Player, plain_spec: Plain
) -> None:
    score = {"name": "prototypicality", "also": [{"name": "zcoreset", "draws": 500}]}
    spec = spec_of(plain_spec, score, baselines=["random", "subset_only"])
    assert spec.extrapolate.name == "measured"
    assert parse_spec(spec.to_dict()) == spec
    story = player.play(spec)
    stages = [row["stage"] for row in story.summary["cost"]["stages"]]
    assert "measure" in stages and "extrapolate" not in stages
    assert story.summary["extrapolation"] == []
    first, second = story.summary["scores"]
    assert (first["name"], first["extrapolated"], second["kind"]) == (
        "prototypicality", False, "embedded",
    )  # fmt: skip
    TypeAdapter(SummaryDocument).validate_python(story.summary)
    said = [e.text for e in story.events if isinstance(e, ev.Message)]
    assert any("nothing is extrapolated" in text for text in said)
    table = story.table(0)
    assert set(table["source"]) == {"scored"} and not table["heldout"].any()
    kept = read_kept(story.run, "s0-measured-top_k-r0.8000")
    best = np.argsort(-table["prototypicality"], kind="stable")[: len(kept)]
    assert kept.tolist() == sorted(best.tolist())
    # the loop pays for the subset's training and for embedding all
    rows = {r["task"]: r["sample_passes"] for r in story.summary["cost"]["stages"]}
    (by_rate,) = [
        r
        for r in story.summary["cost"]["by_rate"]
        if r["method"] == "measured" and r["rate"] == 0.8
    ]
    paid = rows["score-s0"] + rows["embed-s0"] + rows["retrain-s0-measured-top_k-r0.8000"]
    assert by_rate["saving_passes"] == pytest.approx(1 - paid / 1258)
    subset = read_kept(story.run, "s0-subset_only-top_k-r0.8000")
    assert len(subset) == 252


def test_a_given_score_needs_no_net(player: Player, plain_spec: Plain, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("id,score\n" + "".join(f"{i},{(i * 7) % 1258}\n" for i in range(1258)))
    score = {"name": "external", "path": str(file), "keep": "low"}
    story = player.play(spec_of(plain_spec, score, baselines=["random"]))
    assert {t.stage for t in story.graph.tasks} == {"measure", "prune", "retrain"}
    kept = read_kept(story.run, "s0-measured-top_k-r0.8000")
    assert kept.tolist() == [i for i in range(1258) if (i * 7) % 1258 < 252]
    row = story.trials("measured")[0]
    assert row["subset_share"] is None and row["kept_path"] == f"kept/{row['id']}.npy"
    saved = {(r["method"], r["rate"]): r["saving_passes"] for r in story.summary["cost"]["by_rate"]}
    assert saved["measured", 0.8] == saved["random", 0.8]  # nothing is shown to a net before


@pytest.mark.parametrize(
    ("score", "over", "said"),
    [
        ({"name": "random"}, {"reference": "full"}, "a random score already; set reference: none"),
        ({"name": "random"}, {"baselines": ["true_random"]}, "so true_random says nothing"),
        ({"name": "random", "record": "eval_pass"}, {}, "watches no training"),
        ({"name": "random"}, {"prune": {"policy": "moderate"}}, "comes without a net"),
        ({"name": "random", "also": ["loss"]}, {}, "loss (trained) does not go with random"),
        ({"name": "random", "also": ["zcoreset"]}, {}, "zcoreset needs a net"),
        ({"name": "loss", "also": ["zcoreset"]}, {}, "zcoreset (embedded) does not go with loss"),
        ({"name": "loss"}, {"extrapolate": {"name": "measured"}}, "name an extrapolator"),
        ({"name": "external"}, {}, "score.path"),
        ({"name": "prototypicality", "preset": "fat"}, {}, "did you mean 'far'"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    plain_spec: Plain, score: dict[str, Any], over: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(plain_spec, score, **over)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_given_scores_share_no_training(plain_spec: Plain) -> None:
    spec = spec_of(plain_spec, {"name": "random"}, baselines=["subset_only"])
    graph = build_graph([(spec, FACTS)])
    assert {t.stage for t in graph.tasks} == {"subset", "measure", "prune", "retrain"}
    assert graph["measure-s0"].needs == ()
    assert "subset-s0" in {n for t in graph.tasks for n in t.needs}
