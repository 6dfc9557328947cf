"""rs2 and infobatch as baselines of a run: equal steps, nothing kept, nothing charged but them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from play import Player
from pydantic import TypeAdapter

from core.errors import UserError
from core.export import select
from core.schemas.summary import SummaryDocument
from core.spec import Spec

Make = Callable[..., Spec]


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("samplers") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.mark.parametrize("budget", ["epochs", "steps"])
def test_samplers_take_the_steps_of_a_selection(
    player: Player, make_spec: Make, budget: str
) -> None:
    spec = make_spec(
        baselines=["random", "rs2", "infobatch"], prune={"rates": [0.8]},
        retrain={"epochs": "2ep", "budget": budget},
    )  # fmt: skip
    story = player.play(spec)
    TypeAdapter(SummaryDocument).validate_python(story.summary)
    (selected,) = story.trials("random")
    for method in ("rs2", "infobatch"):
        (row,) = story.trials(method)
        assert row["id"] == f"s0-{method}-none-r0.8000"
        assert (row["policy"], row["score"], row["kept_path"]) == (None, None, None)
        assert row["metrics"]["test_accuracy"] > 0.2
        assert (row["steps"], row["sample_passes"]) == (
            selected["steps"], selected["sample_passes"],
        )  # fmt: skip
        assert story.graph[f"retrain-{row['id']}"].passes == row["sample_passes"]
        assert story.graph[f"retrain-{row['id']}"].needs == ()
    saved = {r["method"]: r["saving_passes"] for r in story.summary["cost"]["by_rate"]}
    assert saved["rs2"] == saved["infobatch"] == saved["random"]
    assert len({t["metrics"]["test_accuracy"] for t in story.summary["trials"]}) > 1
    with pytest.raises(UserError, match="rs2 draws its samples anew while it trains"):
        select(story.run, 0.8, "rs2")
    assert not list(Path(story.run.path, "kept").glob("*rs2*"))
