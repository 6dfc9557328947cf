"""The guide's whole plug-ins work as they stand; a score that keeps its low end keeps the same."""

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
from core.testing.data import DatasetConformance
from core.testing.models import ModelConformance
from core.testing.scores import ScoreConformance

GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"


def _code(heading: str) -> str:
    """The first Python block below a heading of the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    found = re.search(rf"## {heading}\n\n```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module", autouse=True)
def guide_plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The guide's files, and the mirror image of its score under mirrored_loss."""
    score = _code("A score, whole")
    mirrored = score.replace('DIRECTION = "high"', 'DIRECTION = "low"')
    mirrored = mirrored.replace("-batch.true_probs", "batch.true_probs")
    known = {
        "score": {"mean_loss": score, "mirrored_loss": mirrored},
        "model": {"hidden": _code("A model, whole")},
        "dataset": {"moons": _code("A dataset, whole")},
    }
    folder = tmp_path_factory.mktemp("plugins")
    modules: dict[str, dict[str, str]] = {kind: {} for kind in known}
    for kind, sources in known.items():
        for name, source in sources.items():
            modules[kind][name] = f"guide_{name}"
            (folder / f"guide_{name}.py").write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        found = {kind: MappingProxyType(named) for kind, named in modules.items()}
        none = MappingProxyType({})
        patch.setattr(registry, "_third_party", lambda kind: found.get(kind, none))
        patch.syspath_prepend(folder)
        yield
    for named in modules.values():
        for module in named.values():
            sys.modules.pop(module, None)


class TestGuideScore(ScoreConformance):
    name = "mean_loss"


class TestMirroredScore(ScoreConformance):
    name = "mirrored_loss"


class TestGuideModel(ModelConformance):
    name = "hidden"
    input_shapes = ((3, 8, 8), (12,))


class TestGuideDataset(DatasetConformance):
    name = "moons"
    # It looks from a process of its own, in which the guide's files are not registered.
    test_front_ends_can_ask = None  # type: ignore[assignment]  # switches the test off

    def options(self, folder: Path) -> dict[str, Any]:
        return {"n": 60}


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
