"""``score.until: matched``: a subset's scores end early, those of a full run do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from play import Player

from core import events as ev
from core.errors import UserError
from core.spec import Spec
from core.spec_load import parse_spec
from core.stages.base import load

Make = Callable[..., Spec]
SPAN: dict[str, Any] = {
    "name": "mean_probability",
    "preset": "all",
    "record": "eval_pass",
    "epoch": 0,
    "span": 0,
}
OVER: dict[str, Any] = {
    "retrain": {"epochs": "1ep"}, "prune": {"rates": [0.8]}, "baselines": ["direct", "random"],
    "reference": "full", "train": {"epochs": "4ep"},
}  # fmt: skip


def test_only_the_subset_is_read_in_part(tmp_path: Any, make_spec: Make) -> None:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    player = Player(tmp_path / "runs")
    also = [{"name": "el2n", "record": "train_forward", "epoch": 0, "span": 2}]
    cut = player.play(make_spec(score={**SPAN, "also": also, "until": "matched"}, **OVER))
    whole = player.play(make_spec(score={**SPAN, "also": also}, **OVER))
    own = player.play(make_spec(score={**SPAN, "also": also, "epoch": 1, "span": 3}, **OVER))
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    # 252 of 1,258 samples and 4 epochs: the last three are read
    scored = cut.table(0)["source"] == "scored"
    values = [story.table(0)["mean_probability"][scored] for story in (whole, cut, own)]
    np.testing.assert_array_equal(values[1], values[2])
    assert np.abs(values[0] - values[1]).max() > 1e-3
    # the second score says its epochs itself: known from the first run, as is the full run
    np.testing.assert_array_equal(whole.table(0)["el2n"][scored], cut.table(0)["el2n"][scored])
    finished = {e.task: e for e in whole.events if isinstance(e, ev.TaskFinished)}
    assert finished["reference-s0"].reused and not finished["score-s0"].reused
    # every look is planned and paid for: three passes over the subset, and over the rest
    rows = {r["task"]: r["sample_passes"] for r in cut.summary["cost"]["stages"]}
    assert rows["score-s0"] == cut.graph["score-s0"].passes == (4 + 3) * 252
    direct = 4 * 252 + 3 * 252 + (1258 - 252) * 4  # el2n reads the first epoch of the others too
    assert rows["direct-s0"] == cut.graph["direct-s0"].passes == direct
    raw = load(next(s for s in cut.store.root.glob("direct-*")) / "raw.npy")
    assert np.isfinite(raw).all()


def test_a_score_of_no_training_has_no_epochs() -> None:
    with pytest.raises(UserError, match=r"score.until: random watches no training"):
        parse_spec({"score": {"name": "random", "until": "matched"}})


def test_too_few_epochs_for_a_window_are_told_before_anything_is_made(
    tmp_path: Path, make_spec: Make
) -> None:
    window = {"length": 4, "ddof": 1, "skip": 0, "drop_last": False}
    score = {"name": "dynamic_uncertainty", "preset": "nieth", "window": window}
    plain = make_spec(**OVER).model_dump(mode="json", by_alias=True)
    spec = parse_spec({**plain, "score": {**score, "until": "matched"}})
    with pytest.raises(UserError, match=r"matched reads 3 of 4 epochs, .* need 4") as error:
        Player(tmp_path / "runs").play(spec)
    assert "score.until: end" in str(error.value)
    assert not (tmp_path / "runs").exists()
