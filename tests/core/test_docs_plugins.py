"""The guide's whole score works as it stands, and a score that keeps its low end keeps the same."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from play import Player

from core import registry
from core.artifacts import read_kept
from core.spec_load import parse_spec
from core.testing.scores import ScoreConformance

GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"


@pytest.fixture(scope="module", autouse=True)
def guide_scores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The guide's file under the name mean_loss, and its mirror image under mirrored_loss."""
    text = GUIDE.read_text(encoding="utf-8")
    code = re.search(r"## A score, whole\n\n```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    mirrored = code[1].replace('DIRECTION = "high"', 'DIRECTION = "low"')
    mirrored = mirrored.replace("-batch.true_probs", "batch.true_probs")
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "guide_mean_loss.py").write_text(code[1])
    (folder / "guide_mirrored_loss.py").write_text(mirrored)
    known = {"mean_loss": "guide_mean_loss", "mirrored_loss": "guide_mirrored_loss"}
    none = MappingProxyType({})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_third_party", lambda kind: known if kind == "score" else none)
        patch.syspath_prepend(folder)
        yield
    for module in known.values():
        sys.modules.pop(module, None)


class TestGuideScore(ScoreConformance):
    name = "mean_loss"


class TestMirroredScore(ScoreConformance):
    name = "mirrored_loss"


def test_keeping_the_low_end_of_the_negated_score_keeps_the_same(
    tmp_path: Path, plain_spec: Callable[..., dict[str, Any]]
) -> None:
    threads = torch.get_num_threads()
    kept = {}
    for name in ("mean_loss", "mirrored_loss"):
        changed = plain_spec(
            baselines=["random", "full_scores", "subset_only"],
            reference="full",
            retrain={"epochs": "1ep"},
            prune={"rates": [0.5, 0.9]},
        )
        spec = parse_spec({**changed, "score": {"name": name}})
        story = Player(tmp_path / name).play(spec)
        kept[name] = {t["id"]: read_kept(story.run, t["id"]) for t in story.summary["trials"]}
        recall = story.agreement(0, name)["reference"]["kept_recall"]
        assert all(r["value"] > 1 - r["rate"] for r in recall)  # better than chance: not inverted
    torch.set_num_threads(threads)
    assert kept["mean_loss"].keys() == kept["mirrored_loss"].keys()
    for trial, ids in kept["mean_loss"].items():
        assert np.array_equal(ids, kept["mirrored_loss"][trial]), trial
